"""CSV files, as spreadsheets and shops write them. Written so that no cell runs as a formula."""

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
"""A first line that tells Excel the delimiter."""
OLE, ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"
"""The first bytes of Excel files up to 2003, and of later ones."""
SAVE_AS = "In Excel, save the file as 'CSV UTF-8' or as .xlsx."


def read_csv(content: bytes) -> Sheet:
    """Read a CSV file (RFC 4180).

    The encoding is UTF-8, or UTF-16 with a byte order mark. The delimiter is the comma, semicolon
    or tab that occurs most often in the header, or that Excel's line ``sep=;`` specifies.

    :raises FileError: if it is not a CSV file.
    """
    return sheet_of(_lines(_decoded(content)))


def write_csv(dataset: Dataset) -> bytes:
    """Write a CSV file that :func:`read_csv` restores, and that no spreadsheet runs."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(dataset.headers)
    writer.writerows(map(_written, row) for row in dataset)
    return text.getvalue().encode()


def _written(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else defused(value)


def _decoded(content: bytes) -> str:
    if content.startswith((OLE, ZIP)):
        raise FileError("This is an Excel file, not CSV. Import it as .xlsx.")
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "UTF-16" if is_wide else "UTF-8"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        where = f"line {line}, byte {column}"
        raise FileError(f"The file is not valid {encoding}: {where}. {SAVE_AS}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FileError(f"Line {line} has a NUL character: this is not CSV. {SAVE_AS}")
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
        raise FileError(f"Line {line + skipped} is not valid CSV: {error}.") from error


def _delimiter(text: str) -> str:
    """The delimiter that occurs most often in the header, outside of quotes."""
    header = next((line for line in re.split(r"\r\n?|\n", text) if line.strip(" ,;\t")), "")

    def cells(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter), []))

    return max(DELIMITERS, key=cells)
