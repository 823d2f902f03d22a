"""The origin of a change: taken from the request or generated, but never trusted blindly."""

import re
import sys

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from eventbus.events.context import Context, _process_context, current
from eventbus.middleware import EventContextMiddleware

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def context_of(**headers: str) -> tuple[Context, HttpResponse]:
    """The context inside a request with these headers, and the response."""
    seen: list[Context] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(current())
        return HttpResponse()

    request = RequestFactory().get("/", headers=headers)
    request.user = AnonymousUser()
    answer = EventContextMiddleware(view)(request)
    return seen[0], answer


def test_a_request_id_is_taken_and_given_back() -> None:
    context, answer = context_of(**{"X-Request-ID": "order-4711", "traceparent": TRACE})
    assert context.correlation_id == answer["X-Request-ID"] == "order-4711"
    assert (context.traceparent, context.actor()) == (TRACE, "anonymous")


@pytest.mark.parametrize("given", ["", "x" * 200, "a b", "<script>", "a\x00"])
def test_a_missing_or_unsafe_request_id_is_replaced(given: str) -> None:
    context, answer = context_of(**{"X-Request-ID": given, "traceparent": "nonsense"})
    assert re.fullmatch(r"[0-9a-f-]{36}", context.correlation_id)
    assert answer["X-Request-ID"] == context.correlation_id
    assert context.traceparent is None


def test_outside_a_request_the_command_is_the_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "loaddata", "shop.json"])
    _process_context.cache_clear()
    assert current().actor() == "system:loaddata"
    assert current().correlation_id == current().correlation_id
    _process_context.cache_clear()
