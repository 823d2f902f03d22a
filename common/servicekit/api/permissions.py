"""Who may read and write."""

from typing import Any

from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request


class ModelPermissions(DjangoModelPermissions):
    """DRF's, but each request needs the permission of what it does, as in the admin.

    Reading needs the view permission, and a POST to one row (an action such as ``rotate``) the
    change permission: it adds nothing. Every view has this unless it names its own.
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

        :raises MethodNotAllowed: for a method that there is none for.
        """
        is_action = method == "POST" and self._is_about_one_row
        return list(super().get_required_permissions("PUT" if is_action else method, model_cls))
