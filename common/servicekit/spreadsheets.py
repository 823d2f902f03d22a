"""Text in the cells of files that are opened in a spreadsheet program."""

import re
from typing import Any

FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What a cell must not begin with: a spreadsheet would evaluate it as a formula.

OWASP, CSV Injection; some locales treat the full-width forms like the others.
"""
MARKED = re.compile(rf"'(?:'|{FORMULA.pattern})")
"""What :func:`unmark` changes: an apostrophe followed by another one or by a formula."""


def defuse(text: str) -> str:
    """The text for a cell of a CSV file, prefixed with an apostrophe if necessary.

    >>> defuse("=1+1"), defuse("'=1+1"), defuse("'tis")
    ("'=1+1", "''=1+1", "'tis")
    """
    return f"'{text}" if FORMULA.match(text) else mark(text)


def defused(value: Any) -> Any:
    """A value for a cell of a CSV file: text through :func:`defuse`, others unchanged."""
    return defuse(value) if isinstance(value, str) else value


def mark(text: str) -> str:
    """The text for a cell of type text, which is never evaluated as a formula.

    It gets an apostrophe only where :func:`unmark` would otherwise remove one.
    """
    return f"'{text}" if MARKED.match(text) else text


def unmark(cell: str) -> str:
    """The inverse of :func:`defuse` and :func:`mark`."""
    return cell[1:] if MARKED.match(cell) else cell
