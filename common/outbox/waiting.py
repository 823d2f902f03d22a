"""What waits in the outbox: reading it, marking what was sent, and waiting for more."""

import threading
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from common.outbox.models import OutboxEvent
from common.outbox.publishing import CHANNEL

BATCH = 1_000
POLL_SECONDS = 0.05
NOTIFY_SECONDS = 1.0


class Row(NamedTuple):
    """What is sent of an event, and what tells it from others."""

    position: int
    topic: str
    key: str
    payload: str
    id: str
    type: str

    def __str__(self) -> str:
        return f"{self.id} ({self.type} {self.key})"


def read(in_flight: Collection[int] = ()) -> list[Row]:
    """The first rows that wait, by position.

    :param in_flight: positions to leave out, because they are being sent.
    """
    waiting = OutboxEvent.objects.filter(published_at__isnull=True)
    if in_flight:
        waiting = waiting.exclude(position__in=in_flight)
    columns = ("position", "topic", "aggregateid", "payload", "id", "type")
    return [Row(*values) for values in waiting.values_list(*columns)[:BATCH]]


def mark(positions: Collection[int]) -> None:
    """Write down that Kafka has these."""
    if positions:
        sent = OutboxEvent.objects.filter(position__in=positions)
        sent.update(published_at=timezone.now())


def wait_for_more(stop: threading.Event) -> None:
    """Until something may wait; on PostgreSQL the publishing transaction says so."""
    if connection.vendor != "postgresql":
        stop.wait(POLL_SECONDS)
        return
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    if OutboxEvent.objects.filter(published_at__isnull=True).exists():
        return
    with connection.wrap_database_errors:
        for _ in connection.connection.notifies(timeout=NOTIFY_SECONDS, stop_after=1):
            pass
