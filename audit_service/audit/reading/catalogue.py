"""The state of all subjects of a kind at a point in time."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from tempfile import TemporaryFile
from typing import Any

import msgspec
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from audit_service.audit.models import AuditEntry
from audit_service.audit.reading.history import about, by, is_deletion, sequence_of, state_of
from common.servicekit.spreadsheets import defused

CHUNK = 1000


@dataclass(frozen=True)
class SubjectState:
    """The state of one subject."""

    subject: str
    sequence: int
    data: dict[str, Any]


def catalogue(aggregate: str, at: datetime) -> Iterator[SubjectState]:
    """Yield the subjects that existed at a point in time, ordered by subject.

    :param aggregate: the kind of subject, such as ``product``: the event type up to its first dot.
    """
    entries = AuditEntry.objects.filter(about(aggregate), sequence__isnull=False)
    newest_first = Window(
        RowNumber(), partition_by=[F("subject")], order_by=[F("sequence").desc(), F("id").desc()]
    )
    ranked = entries.filter(by(at)).annotate(rank=newest_first).filter(rank=1)
    last = AuditEntry.objects.filter(pk__in=ranked.values("pk")).order_by("subject")
    for entry in last.iterator(CHUNK):
        if not is_deletion(entry):
            yield SubjectState(entry.subject, sequence_of(entry), state_of(entry))


def as_ndjson(states: Iterable[SubjectState]) -> Iterator[bytes]:
    """Encode each state as a line of JSON."""
    for state in states:
        yield msgspec.json.encode(state) + b"\n"


def as_csv(states: Iterable[SubjectState]) -> Iterator[str]:
    """Encode each state as a row. Columns are in order of their first appearance.

    The columns are only known after the last row, so the rows are spooled to a file. Reading the
    record twice instead could find columns that are missing in the header.
    """
    columns: dict[str, None] = {}
    with TemporaryFile("w+", encoding="ascii") as waiting:
        for state in states:
            columns.update(dict.fromkeys(state.data))
            waiting.write(json.dumps([state.subject, state.sequence, state.data]) + "\n")
        waiting.seek(0)
        yield _line(["subject", "sequence", *columns])
        for row in waiting:
            subject, sequence, data = json.loads(row)
            yield _line([subject, sequence, *(_cell(data.get(name)) for name in columns)])


def _line(cells: Iterable[Any]) -> str:
    buffer = StringIO()
    csv.writer(buffer).writerow(map(defused, cells))
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list | bool):
        return msgspec.json.encode(value).decode()
    return value
