"""Lists in which everybody sees their own."""

from typing import Any

from django.db.models import QuerySet


class OwnRows:
    """A view whose rows are those of the user who asks; documentation that is made sees none."""

    owner_field = "owner"

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()  # type: ignore[misc]
        user = self.request.user  # type: ignore[attr-defined]
        return rows.filter(**{self.owner_field: user.pk})
