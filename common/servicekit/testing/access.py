"""What users can access in a service, for tests that cover every URL."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.views import APIView

from common.servicekit.api.filters import FilterBackend
from common.servicekit.testing.pages import Page, Values, pages

READING = frozenset(["GET", "HEAD", "OPTIONS"])
WRITING = frozenset(["POST", "PUT", "PATCH", "DELETE"])
FORM = READING | {"POST", "PUT"}
"""The methods that Django's form views accept."""
NO_SUCH_METHOD = 405


class Open(NamedTuple):
    """The methods of a route that are open to everyone, and why they may be."""

    methods: frozenset[str]
    reason: str


OPEN_EVERYWHERE = {
    "/healthz": Open(READING | WRITING, "For load balancers; reports that the process is alive."),
    "/readyz": Open(READING, "For load balancers; without a login, only the status."),
    "/admin/login/": Open(FORM, "The login page."),
    "/api-auth/login/": Open(FORM, "The login page of the browsable API."),
    "/api/schema/": Open(READING, "The API's schema is not secret; it holds no data."),
    "/api/docs/": Open(frozenset(["GET", "HEAD"]), "The schema as a page."),
}
"""What every service opens to everyone, by route."""


def open_to_anybody(values: Values) -> dict[str, frozenset[str]]:
    """By route of the URL configuration, the methods that work without a login.

    :param values: as for :func:`common.servicekit.testing.pages.pages`.
    """
    found: dict[str, frozenset[str]] = {}
    for page in pages(values):
        cache.clear()  # resets throttling
        answered = {m for m in READING | WRITING if _answers(Client().generic(m, page.path))}
        if answered:
            found[page.route] = found.get(page.route, frozenset()) | answered
    return found


def _answers(response: Any) -> bool:
    """Whether a response is anything but a denial for lack of a login."""
    if response.status_code in (301, 302):
        target = urlsplit(response["Location"]).path
        return target not in (settings.LOGIN_URL, "/admin/login/")
    return response.status_code not in (401, 403, NO_SUCH_METHOD)


def api_views(values: Values) -> set[type[APIView]]:
    """The classes behind the URLs of the API."""
    found = (getattr(page.view, "cls", None) for page in pages(values))
    return {view for view in found if view is not None}


def views_with_unguarded_filters(values: Values) -> list[str]:
    """API views whose filters could reveal rows: those that bypass :class:`FilterBackend`."""
    return [
        f"{view.__name__} uses {backend.__name__}"
        for view in api_views(values)
        for backend in getattr(view, "filter_backends", ())
        if issubclass(backend, DjangoFilterBackend) and not issubclass(backend, FilterBackend)
    ]


class Answer(NamedTuple):
    """A response.

    :param asked: method, route and media type.
    :param text: status, headers and body, without what differs each time.
    """

    asked: str
    text: str


CHANGING = re.compile(
    r"(X-Request-ID|Set-Cookie|Content-Length|Expires): .*|\b[A-Za-z0-9]{64}\b"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.:+Z]+"
)
"""What differs with each request: ids, tokens and times."""


def answers(
    client: Client, asked: Iterable[Page], fields: Mapping[str, object], known: object = "\0"
) -> Iterator[Answer]:
    """The responses to a client for each method and media type. All writes are rolled back.

    :param asked: the pages to request.
    :param fields: sent in queries and bodies.
    :param known: what the client itself sends; replaced in responses, which may echo it.
    """
    for page in asked:
        for method, form, sent in _ways(page, fields):
            text = _text(client, page, method, form, sent)
            what = f"{method} {page.route} as {form} with {len(sent)} fields"
            yield Answer(what, text.replace(str(known), "@"))


def _ways(page: Page, fields: Mapping[str, object]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, media type and fields. HTML pages show everything that JSON responses contain."""
    yield "GET", "application/json", fields
    if "format" in page.values:
        return
    yield "GET", "text/html", {}
    for method in ("GET", "OPTIONS", *sorted(WRITING)):
        yield method, "text/html", fields


def _text(client: Client, page: Page, method: str, form: str, fields: Mapping[str, object]) -> str:
    cache.clear()
    options: dict[str, Any] = {"headers": {"Accept": form}}
    if method not in WRITING:
        options["query_params"] = fields
    elif page.path.startswith("/api/"):
        options |= {"data": fields, "content_type": "application/json"}
    elif method == "POST":
        options["data"] = fields
    cookies = copy(client.cookies)
    with _undone():
        response: Any = getattr(client, method.lower())(page.path, **options)
        body = b"".join(response) if response.streaming else response.content
    client.cookies = cookies  # one of the pages logs out
    headers = "\n".join(f"{name}: {value}" for name, value in sorted(response.items()))
    return CHANGING.sub("", f"{response.status_code}\n{headers}\n{body.decode(errors='replace')}")


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
