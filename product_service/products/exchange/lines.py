"""Interprets the lines of a file cell by cell. They are validated like requests to the API."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rest_framework import serializers

from product_service.products.api.bulk import CategoryOfMany, NewItemSerializer
from product_service.products.exchange.cells import Cell
from product_service.products.fields import normal
from product_service.products.models import Category

TRUE = "true yes y t on 1 1.0 wahr ja vrai oui verdadero sí si vero waar verdadeiro sim"
FALSE = "false no n f off 0 0.0 falsch nein faux non falso onwaar nee não"
TRUTHS = {**dict.fromkeys(TRUE.split(), "true"), **dict.fromkeys(FALSE.split(), "false")}
"""English, what Excel writes in German, French, Spanish, Italian, Dutch and Portuguese, and the
numbers of programs that know no truth values, such as 1.0."""
DECIMAL_COMMA = re.compile(r"(\s*[+-]?\d+),(\d{1,2}\s*)")
TEXTS = frozenset({"sku", "name", "description", "category", "currency"})
MAY_BE_BLANK = frozenset({"description", "category"})
SHOWN = 40

Line = Mapping[str, Cell]


class LineProblem(NamedTuple):
    """An invalid cell, and why."""

    cell: Cell
    sku: str
    field: str
    text: str

    def __str__(self) -> str:
        return self.cell.sentence(self.text)


class LineSerializer(NewItemSerializer):
    """The serializer of the API, with messages that suit files."""

    category = CategoryOfMany(
        slug_field="slug",
        queryset=Category.objects.all(),
        allow_null=True,
        required=False,
        error_messages={"does_not_exist": "Category {value} does not exist. Create it first."},
    )

    class Meta(NewItemSerializer.Meta):
        extra_kwargs = {
            **NewItemSerializer.Meta.extra_kwargs,
            "price": {"error_messages": {"invalid": "Enter a number, such as 12.50."}},
            "stock": {"error_messages": {"invalid": "Enter a whole number, such as 3."}},
            "is_active": {
                "error_messages": {
                    "invalid": "Enter true or false. Also accepted are yes or no, on or off, and "
                    "1 or 0."
                }
            },
        }


class LineReader:
    """Reads lines. Their categories are looked up with ``categories.get``."""

    def __init__(self, categories: Any) -> None:
        context = {"categories": categories}
        self._new = LineSerializer(context=context)
        self._changed = LineSerializer(partial=True, context=context)

    def read(self, line: Line, is_new: bool) -> tuple[dict[str, Any], list[LineProblem]]:
        """Return the values of a line, and its problems."""
        problems = list(_refused(line))
        known = {problem.field for problem in problems}
        data = {name: _spelled(name, cell) for name, cell in line.items() if name not in known}
        serializer = self._new if is_new else self._changed
        try:
            values = serializer.run_validation(data)
        except serializers.ValidationError as error:
            problems += _invalid(line, error.detail, known)
            values = {}
        return values, problems


def _refused(line: Line) -> Iterator[LineProblem]:
    for name, cell in line.items():
        is_text = name in TEXTS
        reason = cell.refused or (cell.refused_as_text if is_text else "")
        if reason:
            yield _problem(line, name, reason)
        elif not cell.strip() and name not in MAY_BE_BLANK:
            yield _problem(line, name, "is blank: fill it in, or remove the column.")


def _invalid(line: Line, detail: Any, known: set[str]) -> Iterator[LineProblem]:
    for name, reasons in detail.items():
        if name in known:
            continue
        for reason in reasons:
            yield _problem(line, name, f"has {_shown(line[name])}: {reason}")


def _problem(line: Line, name: str, text: str) -> LineProblem:
    return LineProblem(line[name], line["sku"], name, text)


def _shown(cell: Cell) -> str:
    return repr(str(cell)) if len(cell) <= SHOWN else f"{str(cell)[:SHOWN]!r}..."


def _spelled(name: str, cell: Cell) -> str | None:
    """Convert a cell to the format of the API."""
    spell: Callable[[str], str | None] | None = SPELLINGS.get(name)
    return spell(str(cell)) if spell else str(cell)


def _number(text: str) -> str:
    """Use a decimal point. A comma has at most two digits after it: three may be thousands."""
    found = DECIMAL_COMMA.fullmatch(text)
    return f"{found[1]}.{found[2]}" if found else text


def _truth(text: str) -> str:
    return TRUTHS.get(text.strip().lower(), text)


def _category(text: str) -> str | None:
    return normal(text) or None


SPELLINGS: dict[str, Callable[[str], str | None]] = {
    "price": _number,
    "stock": _number,
    "is_active": _truth,
    "category": _category,
}
