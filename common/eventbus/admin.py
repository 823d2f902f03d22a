"""Shared building blocks of the admin pages."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Viewable with the view permission; never addable, changeable or deletable."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class RelationFilter(admin.RelatedFieldListFilter):
    """Django's relation filter, shown only to users who may view the related rows."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        """The choices; Django hides a filter that has none."""
        options = field.remote_field.model._meta
        permission = f"{options.app_label}.{get_permission_codename('view', options)}"
        if not request.user.has_perm(permission):
            return []
        return super().field_choices(field, request, model_admin)


# The default for every list filter on a relation, unless an admin names another class.
admin.FieldListFilter.register(
    lambda field: bool(field.remote_field), RelationFilter, take_priority=True
)
