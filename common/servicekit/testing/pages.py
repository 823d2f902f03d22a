"""Every URL of a service, for tests that must cover all of them."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.utils.regex_helper import normalize

Values = Mapping[str, Sequence[object]]


@dataclass(frozen=True)
class Page:
    """A URL of the service.

    :param route: as in the URL configuration, such as ``/api/products/<pk>/``.
    :param path: the route with a value for each parameter.
    :param values: those values.
    """

    route: str
    path: str
    view: Callable[..., Any]
    values: Mapping[str, str]


def pages(values: Values) -> list[Page]:
    """The pages of the current URL configuration, each with all values that match it.

    :param values: the values to substitute for each parameter of a route.
    :raises KeyError: if a route has a parameter without a value.
    :raises ValueError: if no value matches a route, so that no route is missed.
    """
    found = []
    for template, view in _routes(get_resolver().url_patterns, "/"):
        filled = [page for page in _filled(template, view, values) if _leads_there(page)]
        if not filled:
            raise ValueError(f"No values match {template}")
        found += filled
    return found


def _routes(patterns: Sequence[Any], before: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Templates such as ``/products/%(pk)s/``, and their views."""
    for pattern in patterns:
        for template, _ in normalize(pattern.pattern.regex.pattern):
            if isinstance(pattern, URLResolver):
                yield from _routes(pattern.url_patterns, before + template)
            elif isinstance(pattern, URLPattern):
                yield before + template, pattern.callback


def _filled(template: str, view: Callable[..., Any], values: Values) -> Iterator[Page]:
    names = _names(template)
    route = template % {name: f"<{name}>" for name in names}
    for chosen in itertools.product(*(values[name] for name in names)):
        filled = {name: str(value) for name, value in zip(names, chosen, strict=True)}
        yield Page(route, template % filled, view, filled)


def _leads_there(page: Page) -> bool:
    try:
        return resolve(page.path).func is page.view
    except Resolver404:
        return False


def _names(template: str) -> list[str]:
    found: list[str] = []

    class Names(dict[str, str]):
        def __missing__(self, name: str) -> str:
            found.append(name)
            return ""

    _ = template % Names()
    return list(dict.fromkeys(found))
