"""Texts in the cells of files that people open in a spreadsheet."""

import re
from typing import Any

FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What a cell must not begin with: a spreadsheet would take it for a formula and run it.

OWASP, CSV Injection; the full-width forms are taken for the others in some locales.
"""
MARKED = re.compile(rf"'(?:'|{FORMULA.pattern})")
"""What :func:`unmark` changes: an apostrophe, and behind it another one or a formula."""


def defuse(text: str) -> str:
    """The text for a cell of a CSV file, with an apostrophe before it where it needs one.

    >>> defuse("=1+1"), defuse("'=1+1"), defuse("'tis")
    ("'=1+1", "''=1+1", "'tis")
    """
    return f"'{text}" if FORMULA.match(text) else mark(text)


def defused(value: Any) -> Any:
    """A value for a cell of a CSV file: texts as :func:`defuse` makes them, others as they are."""
    return defuse(value) if isinstance(value, str) else value


def mark(text: str) -> str:
    """The text for a cell that is typed as text and is no formula whatever it begins with.

    It gets an apostrophe only where :func:`unmark` would otherwise take one away.
    """
    return f"'{text}" if MARKED.match(text) else text


def unmark(cell: str) -> str:
    """The text that :func:`defuse` or :func:`mark` made a cell of."""
    return cell[1:] if MARKED.match(cell) else cell
