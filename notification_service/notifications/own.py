"""Ownership of rows: users see, choose and refer to their own rows only."""

from typing import Any, TypeVar

from django import forms
from django.db.models import Model, QuerySet
from rest_framework import serializers

from notification_service.notifications.models import (
    Delivery,
    Endpoint,
    Notification,
    Subscription,
)

Row = TypeVar("Row", bound=Model)

OWNER: dict[type[Model], str] = {
    Delivery: "owner",
    Endpoint: "owner",
    Notification: "user",
    Subscription: "owner",
}
"""The field of each model that refers to the owner of a row."""


def owned(rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
    """Restrict rows to those that a user owns. Anonymous users own none.

    :raises KeyError: if :data:`OWNER` lacks the model.
    """
    return rows.filter(**{OWNER[rows.model]: user.pk})


class OwnRows:
    """A view that is restricted to the rows of the current user."""

    def get_queryset(self) -> QuerySet[Any]:
        return owned(super().get_queryset(), self.request.user)  # type: ignore[misc,attr-defined]


class OwnRelatedField(serializers.PrimaryKeyRelatedField[Model]):
    """A reference to a row of the current user. Rows of other users do not exist for it."""

    def get_queryset(self) -> QuerySet[Any] | None:
        rows = super().get_queryset()
        return None if rows is None else owned(rows, self.context["request"].user)


class OwnSerializer(serializers.ModelSerializer[Row]):
    """A serializer whose references, including generated ones, are limited to the user's rows."""

    serializer_related_field = OwnRelatedField


class OwnForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose choices, including generated ones, are limited to the owner's rows.

    :param owner: the user who fills it in.
    """

    def __init__(self, *args: Any, owner: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
                field.queryset = owned(field.queryset, owner)
