"""Excel files (.xlsx): read without guessing, and written so that texts stay texts."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import BytesIO
from math import isfinite
from typing import Any
from zipfile import BadZipFile, ZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from tablib import Dataset

from common.servicekit.spreadsheets import mark, unmark
from product_service.products.exchange.cells import FileError, Raw, RawLine, Sheet, sheet_of
from product_service.products.fields import NO_TEXT

MOST_UNPACKED = 512 * 1024 * 1024
MOST_OF_A_CELL = 32_767
"""UTF-16 code units that Excel can store in a cell."""
EXACT_AS_TEXT = 10**15
"""Excel stores 15 digits of a number."""
AS_TEXT = "Format the column as text, then enter the value again."
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([^"]*)"')
LITERAL_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
ESCAPE = re.compile(r"_x(005F|000D|00[0189][0-9A-F]|007F|FFF[EF])_(?<!_x0000_)", re.IGNORECASE)
"""How XML, which cannot contain control characters, encodes them (ECMA-376, ST_Xstring)."""


def read_xlsx(content: bytes) -> Sheet:
    """Read the only sheet of a file.

    Formulas, errors and dates become cells without a usable value.

    :raises FileError: if it is not an Excel file, or has several sheets or merged cells.
    """
    try:
        _refuse_what_hides_values(content)
        book = load_workbook(BytesIO(content), read_only=True)
        sheet = _only_sheet(book)
        read = sheet_of(_lines(sheet), get_column_letter)
    except FileError:
        raise
    except Exception as error:  # openpyxl, zipfile and the XML parser have no common error
        reason = "it has another format" if isinstance(error, BadZipFile) else str(error)
        raise FileError(f"The file cannot be read as an Excel file (.xlsx): {reason}.") from error
    if sheet.sheet_state != "visible":
        read.notes.append(f"Read from the hidden sheet {sheet.title}.")
    return read


def write_xlsx(dataset: Dataset) -> bytes:
    """Write a file that :func:`read_xlsx` restores: numbers as numbers, texts as texts.

    :raises FileError: if a text is too long for a cell.
    """
    for row in dataset:
        _refuse_what_is_cut(row)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Products")
    sheet.freeze_panes = "A2"
    sheet.append([_header(sheet, name) for name in dataset.headers])
    for row in dataset:
        sheet.append([_cell(sheet, value) for value in row])
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _header(sheet: Any, name: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, name)
    cell.font = Font(bold=True)
    return cell


def _cell(sheet: Any, value: Any) -> WriteOnlyCell:
    if not isinstance(value, str):
        cell = WriteOnlyCell(sheet, value)
        cell.number_format = "0.00" if isinstance(value, Decimal) else "General"
        return cell
    cell = WriteOnlyCell(sheet, _text(value) or None)
    if value:
        cell.data_type = "s"  # else openpyxl writes =1+1 as a formula and #N/A as an error
    cell.number_format = "@"
    return cell


def _text(value: str) -> str:
    return NO_TEXT.sub(_escaped, LITERAL_ESCAPE.sub("_x005F_", mark(value)))


def _refuse_what_is_cut(row: Sequence[Any]) -> None:
    for value in row:
        if isinstance(value, str) and len(_text(value).encode("utf-16-le")) // 2 > MOST_OF_A_CELL:
            start = f"{value[:40]!r}..."
            raise FileError(f"The text {start} is too long for an Excel cell: export it as CSV.")


def _escaped(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _refuse_what_hides_values(content: bytes) -> None:
    """Reject merged cells, which hide values, and archives that are too large when unpacked."""
    archive = ZipFile(BytesIO(content))
    if sum(member.file_size for member in archive.infolist()) > MOST_UNPACKED:
        raise FileError(f"The file is larger than {MOST_UNPACKED:,} bytes when unpacked. Split it.")
    for name in archive.namelist():
        if name.startswith("xl/worksheets/") and (merged := _merged(archive, name)):
            raise FileError(f"The cells {merged} are merged: unmerge them, and fill in each one.")


def _merged(archive: ZipFile, name: str) -> str | None:
    before = b""
    with archive.open(name) as file:
        while some := file.read(1024 * 1024):
            if found := MERGED.search(before + some):
                return found[1].decode()
            before = some[-200:]
    return None


def _only_sheet(book: Any) -> Any:
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some programs write wrong dimensions
    filled = [sheet for sheet in book.worksheets if _has_values(sheet)]
    if len(filled) > 1:
        names = ", ".join(
            sheet.title if sheet.sheet_state == "visible" else f"{sheet.title} (hidden)"
            for sheet in filled
        )
        raise FileError(f"The file has {len(filled)} sheets: {names}. Keep only one per file.")
    if not filled:
        raise FileError("The file is empty.")
    return filled[0]


def _has_values(sheet: Any) -> bool:
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _lines(sheet: Any) -> Iterator[RawLine]:
    for number, row in enumerate(sheet.iter_rows(), start=1):
        yield number, [_raw(cell) for cell in row]


def _raw(cell: Any) -> Raw:
    value = cell.value
    if value is None:
        return Raw("")
    if reason := _no_value(cell):
        return Raw(str(value), reason)
    if isinstance(value, str):
        return Raw(unmark(ESCAPE.sub(_unescaped, value)))
    if isinstance(value, bool):
        text = str(value).lower()
        return Raw(text, refused_as_text=f"contains the boolean {text}. {AS_TEXT}")
    return _number(value, cell.number_format)


def _no_value(cell: Any) -> str:
    """Why a cell has no usable value; empty if it has one."""
    value = cell.value
    if cell.data_type == "f":
        return "contains a formula: copy the column and paste it as values."
    if cell.data_type == "e":
        return f"contains the error {value}."
    if isinstance(value, str) or (isinstance(value, int | float) and isfinite(value)):
        return ""
    return f"contains a date or time, {value}. {AS_TEXT}"


def _number(value: float, shown_as: str) -> Raw:
    """A number as the shortest text of the same value: usually what was typed."""
    exact = Decimal(repr(value))
    whole = exact == exact.to_integral_value()
    text = f"{exact.to_integral_value() if whole else exact:f}"
    if "%" in shown_as:
        return Raw(text, "contains a percentage: format the column as a number.")
    if shown_as not in ("General", "0", "@") or abs(value) >= EXACT_AS_TEXT:
        # 007 that is the number 7 with a format, or a bar code that lost digits
        return Raw(text, refused_as_text=f"contains the number {text}. {AS_TEXT}")
    return Raw(text)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
