"""What a stranger gets from a service, for tests that go over every URL."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.test import Client

from common.testing.pages import Values, pages

READING = frozenset(["GET", "HEAD", "OPTIONS"])
WRITING = frozenset(["POST", "PUT", "PATCH", "DELETE"])
FORM = READING | {"POST", "PUT"}
"""What Django's form views take."""
NO_SUCH_METHOD = 405


class Open(NamedTuple):
    """What of a route is open to everybody, and why it may be."""

    methods: frozenset[str]
    reason: str


OPEN_EVERYWHERE = {
    "/healthz": Open(READING | WRITING, "Load balancers ask; it says that the process lives."),
    "/readyz": Open(READING, "Load balancers ask; without a login it says the status alone."),
    "/admin/login/": Open(FORM, "Here one logs in."),
    "/api-auth/login/": Open(FORM, "Here one logs in to the browsable API."),
    "/api/schema/": Open(READING, "What the API takes is no secret; it holds no data."),
    "/api/docs/": Open(frozenset(["GET", "HEAD"]), "The same, for people."),
}
"""By route; what each of our services opens to everybody."""


def open_to_anybody(values: Values) -> dict[str, frozenset[str]]:
    """By route of the URL configuration, the methods that work without a login.

    :param values: as :func:`common.testing.pages.pages` takes them.
    """
    found: dict[str, frozenset[str]] = {}
    for page in pages(values):
        cache.clear()  # so that throttling refuses nothing
        answered = {m for m in READING | WRITING if _answers(Client().generic(m, page.path))}
        if answered:
            found[page.route] = found.get(page.route, frozenset()) | answered
    return found


def _answers(response: Any) -> bool:
    """Whether a response is anything but a refusal of those who are not logged in."""
    if response.status_code in (301, 302):
        target = urlsplit(response["Location"]).path
        return target not in (settings.LOGIN_URL, "/admin/login/")
    return response.status_code not in (401, 403, NO_SUCH_METHOD)
