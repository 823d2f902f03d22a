"""Reads entries as they were sealed, as fast as the database delivers them."""

from collections.abc import Iterator
from itertools import starmap
from struct import Struct
from typing import Any, NamedTuple

from django.db import DatabaseError, connection
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet
from psycopg import ClientCursor
from psycopg.pq import ExecStatus

from audit_service.audit.models import AuditEntry
from audit_service.audit.record.sealing import SEALED, seal

CHUNK = 2000
# The format of COPY: the bytes before the first row, of each row, and after the last one.
HEADER_BYTES = 19
START = Struct(">hiqi32siqi4s")
END_BYTES = 2
SEALED_FROM = 62
TOPIC_LENGTH = slice(94, 98)
TOPIC_FROM = 98

Key = tuple[str, int]
"""Topic and partition."""
SealedValues = tuple[int, Key, int, bytes, bytes]
"""The fields of :class:`Sealed`. A plain tuple is created in half the time."""


class Sealed(NamedTuple):
    """The sealed part of an entry.

    :param key: topic and partition.
    :param bytes: its sealed bytes.
    """

    id: int
    key: Key
    position: int
    link: bytes
    bytes: bytes


def sealed(entries: QuerySet[AuditEntry]) -> Iterator[Sealed]:
    """Like :func:`sealed_rows`, with named fields."""
    return starmap(Sealed, sealed_rows(entries))


def sealed_rows(entries: QuerySet[AuditEntry]) -> Iterator[SealedValues]:
    """Read entries ordered by id, in constant memory.

    On PostgreSQL, they are read by COPY: the connection accepts no other query until the last one.

    :param entries: the entries to read.
    """
    in_order = entries.order_by("id")
    first = ("id", "link", "position")
    if connection.vendor != "postgresql":
        return _selected(in_order.values_list(*first, *SEALED))
    stored = in_order.annotate(stored_time=ExpressionWrapper(F("time"), DateTimeField()))
    names = ("stored_time" if name == "time" else name for name in SEALED)
    return _copied(stored.values_list(*first, *names))


def _selected(rows: Any) -> Iterator[SealedValues]:
    for id_, link, position, *row, value in rows.iterator(CHUNK):
        key = (row[SEALED.index("topic")], row[SEALED.index("partition")])
        yield id_, key, position, bytes(link), seal([*row, bytes(value)])


def _copied(rows: Any) -> Iterator[SealedValues]:
    keys: dict[bytes, Key] = {}
    start = START.unpack_from
    number = int.from_bytes
    for row in _rows_of_copy(*rows.query.sql_with_params()):
        _, _, id_, _, link, _, position, _, partition = start(row)
        named = partition + row[TOPIC_FROM : TOPIC_FROM + number(row[TOPIC_LENGTH], "big")]
        if (key := keys.get(named)) is None:
            key = keys[named] = (named[4:].decode(), number(partition, "big"))
        yield id_, key, position, link, row[SEALED_FROM:]


def _rows_of_copy(query: str, parameters: Any) -> Iterator[bytes]:
    """Read rows of COPY from libpq directly: psycopg's own loop takes longer than the hashing."""
    connection.ensure_connection()
    libpq = connection.connection.pgconn
    statement = ClientCursor(connection.connection).mogrify(query, parameters)
    begun = libpq.exec_(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)".encode())
    if begun.status != ExecStatus.COPY_OUT:
        raise DatabaseError(begun.get_error_message())
    received, message = libpq.get_copy_data(0)
    row = bytes(message)[HEADER_BYTES:]  # the header comes with the first row
    while len(row) > END_BYTES:
        yield row
        received, message = libpq.get_copy_data(0)
        row = bytes(message)
    while received > 0:
        received, _ = libpq.get_copy_data(0)
    ended = libpq.get_result()
    while libpq.get_result() is not None:
        pass
    if ended.status != ExecStatus.COMMAND_OK:
        raise DatabaseError(ended.get_error_message())
