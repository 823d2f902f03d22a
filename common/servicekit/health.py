"""Health checks: /healthz reports that the process is alive, /readyz whether it can serve.

Load balancers and orchestrators do not log in, so the response holds no more than they need.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

View = Callable[..., HttpResponse]


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Report that the process is alive."""
    return JsonResponse({"status": "ok"})


class Readiness(APIView):
    """Responds with 200 while the database is available, and with 503 otherwise."""

    permission_classes = [AllowAny]
    throttle_classes = []
    renderer_classes = [JSONRenderer]
    schema = None
    permission = ""
    details: dict[str, Callable[[], object]] = {}

    def perform_authentication(self, request: Request) -> None:
        """Do not look up a user here: that may need the database, which may be unavailable."""

    def get(self, request: Request) -> Response:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            found = self._details(request)
        except DatabaseError:
            away = {"status": "unavailable", "database": "away"}
            return Response(away, status=status.HTTP_503_SERVICE_UNAVAILABLE)
        return Response({"status": "ok", "database": "ok", **found})

    def _details(self, request: Request) -> dict[str, Any]:
        if not request.user.has_perm(self.permission):
            return {}
        return {name: detail() for name, detail in self.details.items()}


def readyz(permission: str, **details: Callable[[], object]) -> View:
    """The view of ``/readyz``: the status for everyone, details for users with a permission.

    :param permission: required to see the details, such as ``eventbus_inbox.view_workerstate``.
        Monitoring can send the token of a user that has it (``Authorization: Token ...``).
    :param details: additional facts by name; none of them makes the service unready.
    """
    view: View = Readiness.as_view(permission=permission, details=details)
    return view
