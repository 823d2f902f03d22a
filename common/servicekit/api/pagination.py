"""Keyset pagination."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.template.loader import render_to_string
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

SALT = "common.servicekit.api.pagination"


class Cursor(NamedTuple):
    """Where a page starts: the values of a row in an ordering, and the direction from it."""

    ordering: list[str]
    values: list[str]
    backward: bool


class KeysetPagination(BasePagination):
    """Pages that start after a given row instead of after a number of rows.

    They stay correct while rows are inserted and deleted, and their cost does not depend on their
    depth. DRF's ``CursorPagination`` falls back to offsets where many rows have the same value;
    here the primary key breaks the tie.

    The view's queryset defines the order, by columns of its own table that are never NULL.
    """

    page_size = 50
    max_page_size = 1000
    cursor_param = "cursor"
    size_param = "page_size"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the requested page.

        :raises NotFound: for a cursor that this list did not issue.
        """
        self._url = request.build_absolute_uri()
        self._ordering = complete_ordering(queryset)
        self._cursor = self._read_cursor(request)
        size = self._read_size(request)
        rows = list(self._from_cursor(queryset)[: size + 1])
        self._is_cut = len(rows) > size
        self._page = rows[:size]
        if self._backward:
            self._page.reverse()
        self.display_page_controls = bool(self._is_cut or self._cursor)
        return self._page

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self._next_link(), "previous": self._previous_link(), "results": data}
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": self.cursor_param,
                "in": "query",
                "description": "Where the page starts; taken from `next` or `previous`.",
                "schema": {"type": "string"},
            },
            {
                "name": self.size_param,
                "in": "query",
                "description": f"Maximum number of results per page; {self.page_size} by default.",
                "schema": {"type": "integer", "minimum": 1, "maximum": self.max_page_size},
            },
        ]

    def to_html(self) -> str:
        links = {"previous_url": self._previous_link(), "next_url": self._next_link()}
        return render_to_string("rest_framework/pagination/previous_and_next.html", links)

    @property
    def _backward(self) -> bool:
        return self._cursor is not None and self._cursor.backward

    def _read_cursor(self, request: Request) -> Cursor | None:
        text = request.query_params.get(self.cursor_param)
        if text is None:
            return None
        try:
            cursor = Cursor(*signing.loads(text, salt=SALT))
        except (signing.BadSignature, ValueError):
            raise NotFound("Invalid cursor") from None
        if cursor.ordering != self._ordering:
            raise NotFound("The cursor belongs to another ordering")
        return cursor

    def _read_size(self, request: Request) -> int:
        with suppress(ValueError):
            size = int(request.query_params.get(self.size_param, ""))
            if size > 0:
                return min(size, self.max_page_size)
        return self.page_size

    def _from_cursor(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        ordering = [opposite(name) for name in self._ordering] if self._backward else self._ordering
        if self._cursor is not None:
            queryset = queryset.filter(self._behind(ordering, queryset.model))
        return queryset.order_by(*ordering)

    def _behind(self, ordering: Sequence[str], model: type[Model]) -> Q:
        assert self._cursor is not None  # noqa: S101 - for the type checker
        behind = Q()
        equal: dict[str, Any] = {}
        for name, text in zip(ordering, self._cursor.values, strict=True):
            column = name.lstrip("-")
            value = as_value(model, column, text)
            operator = "lt" if name.startswith("-") else "gt"
            behind |= Q(**equal, **{f"{column}__{operator}": value})
            equal[column] = value
        return behind

    def _next_link(self) -> str | None:
        return self._link(self._page[-1:], backward=False) if self._has_next() else None

    def _previous_link(self) -> str | None:
        return self._link(self._page[:1], backward=True) if self._has_previous() else None

    def _has_next(self) -> bool:
        return self._backward or self._is_cut

    def _has_previous(self) -> bool:
        return self._is_cut if self._backward else self._cursor is not None

    def _link(self, beside: Sequence[Model], backward: bool) -> str | None:
        if not beside:
            return None
        [row] = beside
        columns = [name.lstrip("-") for name in self._ordering]
        values = [row._meta.get_field(name).value_to_string(row) for name in columns]  # type: ignore[union-attr]
        cursor = signing.dumps(Cursor(self._ordering, values, backward), salt=SALT)
        return replace_query_param(self._url, self.cursor_param, cursor)


def complete_ordering(queryset: QuerySet[Any]) -> list[str]:
    """The ordering of a queryset, completed by the primary key if it is not unique."""
    meta = queryset.model._meta
    key = meta.pk.name
    ordering = [str(name) for name in queryset.query.order_by or meta.ordering]
    columns = [name.lstrip("-") for name in ordering]
    if key in columns:
        return ordering[: columns.index(key) + 1]
    descending = bool(ordering) and ordering[0].startswith("-")
    return [*ordering, f"-{key}" if descending else key]


def opposite(name: str) -> str:
    return name.removeprefix("-") if name.startswith("-") else f"-{name}"


def as_value(model: type[Model], column: str, text: str) -> Any:
    """A column's value from its text in a cursor.

    :raises NotFound: if the column cannot hold it, because its type has changed.
    """
    try:
        return model._meta.get_field(column).to_python(text)  # type: ignore[union-attr]
    except ValidationError:
        raise NotFound("Invalid cursor") from None
