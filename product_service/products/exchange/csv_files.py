"""CSV: read as spreadsheets and shops write it, written so that no spreadsheet runs it."""

import codecs
import csv
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

from tablib import Dataset

from common.servicekit.spreadsheets import defused, unmark
from product_service.products.exchange.cells import FileError, Raw, RawLine, Sheet, sheet_of

DELIMITERS = (",", ";", "\t")
SEP = re.compile(r'"?sep=([,;\t])"?\r?\n', re.IGNORECASE)
"""A first line by which Excel is told what is between the cells."""
OLE, ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"
"""What Excel's files begin with: those up to 2003, and those since."""
SAVE_AS = "In Excel, save it as 'CSV UTF-8', or as .xlsx."


def read_csv(content: bytes) -> Sheet:
    """The rows of a CSV file (RFC 4180).

    In UTF-8, or in UTF-16 with a byte order mark. Commas, semicolons or tabs are between the
    cells: the one that the header has most of, or the one that Excel's line ``sep=;`` says.

    :raises FileError: when it is none.
    """
    return sheet_of(_lines(_decoded(content)))


def write_csv(dataset: Dataset) -> bytes:
    """A CSV file that :func:`read_csv` reads as it was, and that no spreadsheet runs."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(dataset.headers)
    writer.writerows(map(_written, row) for row in dataset)
    return text.getvalue().encode()


def _written(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else defused(value)


def _decoded(content: bytes) -> str:
    if content.startswith((OLE, ZIP)):
        raise FileError("This is an Excel file and no CSV: import it as .xlsx.")
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "UTF-16" if is_wide else "UTF-8"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        where = f"line {line}, byte {column}"
        raise FileError(f"The file is not in {encoding}: {where}. {SAVE_AS}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FileError(f"Line {line} has a NUL: this is no CSV. {SAVE_AS}")
    return text


def _lines(text: str) -> Iterator[RawLine]:
    said = SEP.match(text)
    delimiter = said[1] if said else _delimiter(text)
    text = text[said.end() :] if said else text
    skipped = 1 if said else 0
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            yield line + skipped, [Raw(unmark(cell)) for cell in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"Line {line + skipped} is no CSV: {error}.") from error


def _delimiter(text: str) -> str:
    """The one that the header has most of, outside of quotes."""
    header = next((line for line in re.split(r"\r\n?|\n", text) if line.strip(" ,;\t")), "")

    def cells(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter), []))

    return max(DELIMITERS, key=cells)
