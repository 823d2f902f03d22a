"""Finds the known columns of a file by their headers."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from product_service.products.exchange.cells import Column, FileError, Sheet

COLUMNS = ("sku", "name", "description", "category", "price", "currency", "stock", "is_active")
REQUIRED = ("sku", "name", "price")


def find(columns: Sequence[Column], known: Collection[str]) -> dict[str, int]:
    """Return the indexes of the known columns by their names.

    Case and surrounding white space are ignored.

    :raises FileError: if a header occurs twice.
    """
    names = {name.casefold(): name for name in known}
    found: dict[str, int] = {}
    seen: dict[str, Column] = {}
    for number, column in enumerate(columns):
        header = column.header.casefold()
        if header in seen:
            both = f"{seen[header].place} and {column.place}" if column.letter else "two columns"
            raise FileError(f"Duplicate header {column.header} in {both}.")
        seen[header] = column
        if header in names:
            found[names[header]] = number
    return found


def take_our_own(sheet: Sheet) -> None:
    """Reorder a sheet to its known columns, under their names.

    :raises FileError: if a column is missing, unknown or duplicate.
    """
    found = find(sheet.columns, COLUMNS)
    known = set(found.values())
    _refuse_unknown(column for n, column in enumerate(sheet.columns) if n not in known)
    if missing := [name for name in REQUIRED if name not in found]:
        raise FileError(f"Required columns are missing: {', '.join(missing)}.")
    rows = [[row[number] for number in found.values()] for row in sheet]
    sheet.become(list(found), rows)


def _refuse_unknown(columns: Iterable[Column]) -> None:
    wrong = []
    for column in columns:
        close = get_close_matches(column.header.casefold().replace(" ", "_"), COLUMNS, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        wrong.append(f"{column.header}{meant}")
    if wrong:
        said = f"Unknown column{'s' if len(wrong) > 1 else ''}: {', '.join(wrong)}."
        raise FileError(f"{said} Available columns: {', '.join(COLUMNS)}.")
