"""The contents of a file before they are interpreted: texts with their positions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tablib import Dataset

MOST_LINES = 100_000
MOST_BYTES = 64 * 1024 * 1024


class FileError(ValueError):
    """A file cannot be imported. The message says why, where, and what to do."""


class Column(NamedTuple):
    """A column of the file: its header, and its letter in Excel."""

    header: str
    letter: str = ""

    @property
    def place(self) -> str:
        return f"column {self.letter or self.header}"


class Raw(NamedTuple):
    """The content of a cell.

    ``refused`` says why it cannot be used at all, ``refused_as_text`` why not as a text.
    """

    text: str
    refused: str = ""
    refused_as_text: str = ""


class Cell(str):
    """A text that knows its position, for error messages."""

    __slots__ = ("column", "line", "refused", "refused_as_text")

    line: int
    column: Column
    refused: str
    refused_as_text: str

    def __new__(cls, raw: Raw, line: int, column: Column) -> "Cell":
        cell = super().__new__(cls, raw.text)
        cell.line, cell.column = line, column
        cell.refused, cell.refused_as_text = raw.refused, raw.refused_as_text
        return cell

    @property
    def place(self) -> str:
        """Such as ``cell C7``, or ``line 7, column stock``."""
        if self.column.letter:
            return f"cell {self.column.letter}{self.line}"
        return f"line {self.line}, {self.column.place}"

    def sentence(self, rest: str) -> str:
        """Such as ``Cell C7 is blank.``"""
        return f"{self.place[0].upper()}{self.place[1:]} {rest}"

    def but(self, text: str, refused: str = "") -> "Cell":
        """Return a cell at the same position with another text."""
        raw = Raw(text, refused or self.refused, self.refused_as_text)
        return Cell(raw, self.line, self.column)


RawLine = tuple[int, Sequence[Raw]]
"""The number of a line in the file, and its cells."""


class Sheet(Dataset):
    """The rows of a file under their headers. ``notes`` reports what was skipped."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(headers=[column.header for column in columns])
        self.columns = columns
        self.notes: list[str] = []

    def become(self, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Replace the headers and rows."""
        self.wipe()
        self.headers = list(headers)
        for row in rows:
            self.append(row)


def sheet_of(lines: Iterable[RawLine], letter_of: Any = None) -> Sheet:
    """Build a sheet from lines. Blank rows are skipped, and counted in the notes.

    :param letter_of: returns the letter of a column by its number, starting at 1. None for CSV,
        where each line must have as many cells as the header.
    :raises FileError: if there is no header, a cell has no header, or there are too many lines.
    """
    filled = _Filled(lines)
    for _, header in filled:
        columns = _columns(header, letter_of)
        break
    else:
        raise FileError("The file is empty.")
    named = [number for number, column in enumerate(columns) if column.header]
    sheet = Sheet([columns[number] for number in named])
    for line, row in filled:
        if letter_of is None and len(row) < len(header):
            raise FileError(f"Line {line} has {len(row)} cells, but the header has {len(header)}.")
        cells = [Cell(row[n] if n < len(row) else Raw(""), line, columns[n]) for n in named]
        _refuse_what_has_no_header(line, row, columns, letter_of)
        sheet.append(cells)
        if len(sheet) > MOST_LINES:
            raise FileError(
                f"The file has more than {MOST_LINES:,} rows. Split it into several files."
            )
    if filled.blank:
        sheet.notes.append(f"{counted(filled.blank, 'blank row')} skipped.")
    return sheet


def counted(number: int, one: str, many: str = "") -> str:
    """Such as ``1 blank row was`` or ``2 blank rows were``."""
    return f"1 {one} was" if number == 1 else f"{number:,} {many or f'{one}s'} were"


class _Filled:
    """The lines that are not blank. ``blank`` counts blank ones, except those at the end."""

    def __init__(self, lines: Iterable[RawLine]) -> None:
        self._lines = self._filled(lines)
        self.blank = 0

    def __iter__(self) -> Iterator[RawLine]:
        return self._lines

    def _filled(self, lines: Iterable[RawLine]) -> Iterator[RawLine]:
        blank = 0
        for line, row in lines:
            if any(raw.text.strip() or raw.refused for raw in row):
                self.blank += blank
                blank = 0
                yield line, row
            else:
                blank += 1


def _columns(header: Sequence[Raw], letter_of: Any) -> list[Column]:
    letters = (letter_of(n) if letter_of else "" for n in range(1, len(header) + 1))
    columns = []
    for raw, letter in zip(header, letters, strict=True):
        if raw.refused or raw.refused_as_text:
            raise FileError(f"The header of column {letter} {raw.refused or raw.refused_as_text}")
        columns.append(Column(" ".join(raw.text.split()), letter))
    return columns


def _refuse_what_has_no_header(
    line: int, row: Sequence[Raw], columns: Sequence[Column], letter_of: Any
) -> None:
    for number, raw in enumerate(row):
        has_header = number < len(columns) and columns[number].header
        if not has_header and (raw.text.strip() or raw.refused):
            place = f"Cell {letter_of(number + 1)}{line}" if letter_of else f"Line {line}"
            what = (
                "has no header above it"
                if letter_of
                else f"has no header for its cell {number + 1}"
            )
            raise FileError(f"{place} {what}: {raw.text[:40]!r}.")
