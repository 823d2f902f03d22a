"""The heartbeat: a row that shows people and health checks what this worker is doing."""

import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from eventbus.database.errors import reconnect
from eventbus.inbox.models import WorkerState
from eventbus.inbox.running.stream import Stream
from eventbus.inbox.running.tally import Tally

log = structlog.get_logger(__name__)

BEAT_SECONDS = 5.0
FORGET_AFTER = timedelta(days=1)


def shown_partitions(names: Iterable[str]) -> str:
    """The partitions by topic, for display.

    >>> shown_partitions(["orders/0", "products/2", "products/3", "products/5"])
    'orders 0; products 2-3, 5'
    """
    topics: dict[str, list[int]] = {}
    for name in names:
        topic, _, number = name.rpartition("/")
        topics.setdefault(topic, []).append(int(number))
    shown = (f"{topic} {', '.join(_ranges(sorted(found)))}" for topic, found in topics.items())
    return "; ".join(shown) or "none"


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    # Within a run of consecutive numbers, the distance to their place in the list is the same.
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        first, *_, last = [number for _, number in run] * 2
        yield str(first) if first == last else f"{first}-{last}"


class Heartbeat:
    """Keeps the row of one worker up to date. An unavailable database is only logged.

    :param group: the consumer group of the worker.
    """

    def __init__(self, group: str) -> None:
        self._row = WorkerState(consumer=group, host=socket.gethostname(), pid=os.getpid())
        self._last = time.monotonic()
        self._partitions: list[str] | None = None

    def beat(self, stream: Stream, tally: Tally) -> None:
        """Write the row if it is due or the partitions have changed."""
        names = sorted(f"{p.topic}/{p.partition}" for p in stream.assignment())
        if self._partitions == names and time.monotonic() - self._last < BEAT_SECONDS:
            return
        if names != (self._partitions or []):
            log.info("partitions assigned", partitions=names)
        self._partitions = names
        try:
            self.write(stream, tally)
        except DatabaseError as error:
            log.warning("no heartbeat: database error", reason=" ".join(str(error).split()))
            reconnect()

    def write(self, stream: Stream, tally: Tally) -> None:
        """Write the row now.

        :raises django.db.Error: if the write fails.
        """
        self._fill(stream, tally)
        if self._row.pk is None:
            WorkerState.objects.filter(seen_at__lt=timezone.now() - FORGET_AFTER).delete()
        self._row.save()

    def end(self) -> None:
        """Delete the row: this worker exits on purpose."""
        try:
            if self._row.pk is not None:
                self._row.delete()
        except DatabaseError as error:
            log.warning("heartbeat row not deleted", reason=" ".join(str(error).split()))

    def _fill(self, stream: Stream, tally: Tally) -> None:
        row = self._row
        now = time.monotonic()
        row.rate = round((tally.handled - row.handled) / max(now - self._last, 0.001), 1)
        self._last = now
        row.partitions = self._partitions or []
        row.lag = stream.lag()
        row.handled, row.failed, row.parked = tally.handled, tally.failed, tally.parked
        row.lost = tally.lost
        row.last_event_at = tally.last_at
        if tally.last:
            envelope, place = tally.last.envelope, "{}/{}/{}".format(*tally.last.place)
            what = f"{envelope.type} {envelope.id}" if envelope else "unreadable"
            row.last_event = f"{what} at {place}"
