"""What holds for every admin page of the services. The admin finds this module by itself."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest


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
