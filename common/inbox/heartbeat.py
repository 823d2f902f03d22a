"""The heartbeat: a row that tells a health check that this worker lives, and what it reads."""

import os
import socket
import time
from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone
from kafka import TopicPartition

from common.inbox.models import Worker

log = structlog.get_logger(__name__)

BEAT_SECONDS = 5.0
FORGET_AFTER = timedelta(days=1)


class Heartbeat:
    """Keeps the row of one worker fresh. A database that is away costs a log line, no more.

    :param group: the consumer group of the worker.
    """

    def __init__(self, group: str) -> None:
        self._row = Worker(consumer=group, host=socket.gethostname(), pid=os.getpid())
        self._next = 0.0
        self._partitions: list[str] = []

    def beat(self, partitions: Iterable[TopicPartition]) -> None:
        """Write the row, if it is time to or if the partitions are others than before."""
        names = sorted(f"{p.topic}/{p.partition}" for p in partitions)
        if time.monotonic() < self._next and names == self._partitions:
            return
        self._next = time.monotonic() + BEAT_SECONDS
        if names != self._partitions:
            log.info("partitions assigned", partitions=names)
        try:
            if self._row.pk is None:
                Worker.objects.filter(seen_at__lt=timezone.now() - FORGET_AFTER).delete()
            self._row.partitions = names
            self._row.save()
            self._partitions = names
        except DatabaseError as error:
            log.warning("no heartbeat: the database is away", reason=" ".join(str(error).split()))
            connection.close()

    def end(self) -> None:
        """Take the row away: this worker left on purpose."""
        try:
            if self._row.pk is not None:
                self._row.delete()
        except DatabaseError as error:
            log.warning("heartbeat row stays", reason=" ".join(str(error).split()))
