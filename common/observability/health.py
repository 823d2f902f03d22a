"""Health pages: is the process alive, and can it serve."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(**details: Callable[[], object]) -> Callable[[HttpRequest], HttpResponse]:
    """A view that answers 200 while the database does, with details that never fail it."""

    def view(request: HttpRequest) -> HttpResponse:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            found = {name: detail() for name, detail in details.items()}
        except DatabaseError:
            return JsonResponse({"status": "unavailable", "database": "away"}, status=503)
        return JsonResponse({"status": "ok", "database": "ok", **found})

    return view
