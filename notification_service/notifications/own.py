"""Whose rows are whose: what a person sees, chooses from and refers to is their own."""

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
"""The field of each model that says to whom a row belongs."""


def owned(rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
    """Those of the rows that belong to a user; to nobody who is not logged in.

    :raises KeyError: for a model that :data:`OWNER` does not know.
    """
    return rows.filter(**{OWNER[rows.model]: user.pk})


class OwnRows:
    """A view whose rows are those of the user who asks; documentation that is made sees none."""

    def get_queryset(self) -> QuerySet[Any]:
        return owned(super().get_queryset(), self.request.user)  # type: ignore[misc,attr-defined]


class OwnRelatedField(serializers.PrimaryKeyRelatedField[Model]):
    """A reference to a row of the user who asks. Somebody else's does not exist."""

    def get_queryset(self) -> QuerySet[Any] | None:
        rows = super().get_queryset()
        return None if rows is None else owned(rows, self.context["request"].user)


class OwnSerializer(serializers.ModelSerializer[Row]):
    """A serializer whose references, generated ones included, are to the asker's own rows."""

    serializer_related_field = OwnRelatedField


class OwnForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose choices, generated ones included, are the owner's own rows.

    :param owner: who fills it in.
    """

    def __init__(self, *args: Any, owner: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
                field.queryset = owned(field.queryset, owner)
