"""Middleware that records the request and its user in the events published on its behalf."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from eventbus.conf import bus_settings
from eventbus.events.context import Context, use

SAFE_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class EventContextMiddleware:
    """Takes the correlation id from ``X-Request-ID``, or generates one, and returns it.

    Must come after AuthenticationMiddleware. ``traceparent`` is W3C Trace Context.

    :raises ImproperlyConfigured: when the server starts, if a key of ``EVENTBUS`` is invalid.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        bus_settings()  # with invalid settings, fail at startup rather than in a later request
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        correlation_id = given if SAFE_ID.fullmatch(given) else str(uuid.uuid4())
        trace = request.headers.get("traceparent", "")
        context = Context(
            correlation_id=correlation_id,
            actor=lambda: request.user.get_username() or "anonymous",
            traceparent=trace if TRACEPARENT.fullmatch(trace) else None,
        )
        with use(context), structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            response = self._get_response(request)
        response["X-Request-ID"] = correlation_id
        return response
