"""Permissions for reading and writing."""

from typing import Any

from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request


class ModelPermissions(DjangoModelPermissions):
    """DRF's class, but each request needs the permission for what it does, as in the admin.

    Reading requires the view permission, and a POST to a single row (an action such as ``rotate``)
    the change permission, since it adds nothing. It is the default of every view.
    """

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
    }

    def has_permission(self, request: Request, view: Any) -> bool:
        self._is_about_one_row = bool(getattr(view, "detail", False))
        return super().has_permission(request, view)

    def get_required_permissions(self, method: str, model_cls: Any) -> list[str]:
        """The permissions that a request needs.

        :raises MethodNotAllowed: for a method without a permission.
        """
        is_action = method == "POST" and self._is_about_one_row
        return list(super().get_required_permissions("PUT" if is_action else method, model_cls))
