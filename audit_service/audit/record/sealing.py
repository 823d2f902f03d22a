"""Sealing: the link of an entry proves its stored fields, and all earlier entries of its chain.

A link is ``SHA-256(previous link + sealed bytes)``. The sealed bytes are the fields of ``SEALED``
in that order, each preceded by its length (four bytes, big-endian, -1 for null): integers
big-endian, times as microseconds since 2000-01-01 UTC, text in UTF-8. This is a row of
PostgreSQL's ``COPY ... (FORMAT BINARY)`` without its field count, so that entries are verified as
fast as they are read: https://www.postgresql.org/docs/current/sql-copy.html
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import Any

SEALED = (
    "partition",
    "offset",
    "recorded_at",
    "topic",
    "event_id",
    "source",
    "type",
    "subject",
    "sequence",
    "time",
    "actor",
    "correlation_id",
    "causation_id",
    "headers",
    "value",
)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NULL = b"\xff\xff\xff\xff"
PLACE = Struct(">iiiqiq")
LENGTH = Struct(">i")
INT8 = Struct(">iq")


def seal(row: Sequence[Any]) -> bytes:
    """Return the sealed bytes of an entry.

    :param row: its values, in the order of ``SEALED``.
    """
    partition, offset, recorded_at, *texts, headers, value = row
    topic, event_id, source, type_, subject, sequence, time, actor, correlation, causation = texts
    return b"".join(
        (
            PLACE.pack(4, partition, 8, offset, 8, microseconds(recorded_at)),
            *map(_text, (topic, event_id, source, type_, subject)),
            NULL if sequence is None else INT8.pack(8, sequence),
            NULL if time is None else INT8.pack(8, microseconds(time)),
            *map(_text, (actor, correlation, causation, headers)),
            LENGTH.pack(len(value)),
            value,
        )
    )


def link(previous: bytes, sealed: bytes) -> bytes:
    """Return the link of an entry, 32 bytes.

    :param previous: the link of the previous entry in its chain.
    :param sealed: its sealed bytes.
    """
    return sha256(previous + sealed).digest()


def microseconds(moment: datetime) -> int:
    """Microseconds since ``EPOCH``."""
    return (moment - EPOCH) // MICROSECOND


def _text(text: str) -> bytes:
    encoded = text.encode()
    return LENGTH.pack(len(encoded)) + encoded
