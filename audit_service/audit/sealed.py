"""Reading entries as they were sealed, as fast as the database gives them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from audit_service.audit.models import AuditEntry
from audit_service.audit.sealing import SEALED, seal

CHUNK = 2000
# The row that COPY sends: a field count, then each field behind its length.
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER_BYTES = 19
END = b"\xff\xff"
ID = slice(6, 14)
LINK = slice(18, 50)
POSITION = slice(54, 62)
REST = slice(62, None)
PARTITION = slice(4, 8)
TOPIC_LENGTH = slice(32, 36)
TOPIC_START = 36


class Sealed(NamedTuple):
    """An entry, as far as it is proven.

    :param key: topic and partition.
    :param bytes: its sealed bytes.
    """

    id: int
    key: tuple[str, int]
    position: int
    link: bytes
    bytes: bytes


def sealed(entries: QuerySet[AuditEntry]) -> Iterator[Sealed]:
    """Entries in the order of their ids, in constant memory.

    On PostgreSQL they come by COPY: until the last one, the connection takes no other query.

    :param entries: which.
    """
    rows = entries.order_by("id").values_list("id", "link", "position", *SEALED)
    return _copied(rows) if connection.vendor == "postgresql" else _selected(rows)


def _selected(rows: Any) -> Iterator[Sealed]:
    for id_, link, position, *row, value in rows.iterator(CHUNK):
        key = (row[SEALED.index("topic")], row[SEALED.index("partition")])
        yield Sealed(id_, key, position, bytes(link), seal([*row, bytes(value)]))


def _copied(rows: Any) -> Iterator[Sealed]:
    query, parameters = rows.query.sql_with_params()
    keys: dict[bytes, tuple[str, int]] = {}
    number = int.from_bytes
    with connection.cursor() as cursor, cursor.copy(_copy(query), parameters) as copy:
        for message in copy:
            data = bytes(message)
            if data.startswith(SIGNATURE):
                data = data[HEADER_BYTES:]
            if not data or data == END:
                continue
            rest = data[REST]
            topic = rest[TOPIC_START : TOPIC_START + number(rest[TOPIC_LENGTH], "big")]
            named = rest[PARTITION] + topic
            if (key := keys.get(named)) is None:
                key = keys[named] = (topic.decode(), number(rest[PARTITION], "big"))
            yield Sealed(number(data[ID], "big"), key, number(data[POSITION], "big"), data[LINK], rest)


def _copy(query: str) -> str:
    return f"COPY ({query}) TO STDOUT (FORMAT BINARY)"
