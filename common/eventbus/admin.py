"""What the admin pages of all services share."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To look at with the view permission; nobody adds, changes or deletes here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class RelationFilter(admin.RelatedFieldListFilter):
    """Django's filter by a relation, for those who may view the rows that it names."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        """The rows to choose from; without any, the filter is not shown."""
        options = field.remote_field.model._meta
        permission = f"{options.app_label}.{get_permission_codename('view', options)}"
        if not request.user.has_perm(permission):
            return []
        return super().field_choices(field, request, model_admin)


# Every list filter by a relation is one of these, unless an admin names another class.
admin.FieldListFilter.register(
    lambda field: bool(field.remote_field), RelationFilter, take_priority=True
)
