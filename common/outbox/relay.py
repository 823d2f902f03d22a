"""The relay: outbox rows to Kafka, in order, each at least once."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from django.db import connection
from django.db.utils import InterfaceError, OperationalError
from django.utils import timezone
from kafka.errors import KafkaError, KafkaTimeoutError

from common.events.codec import structured_headers
from common.kafka.clients import KafkaUnavailable, Producer
from common.outbox.lock import try_lock
from common.outbox.models import OutboxEvent
from common.outbox.publishing import CHANNEL

log = structlog.get_logger(__name__)

BATCH = 1_000
POLL_SECONDS = 0.05
NOTIFY_SECONDS = 1.0
RETRY_SECONDS = 1.0


class Relay:
    """Sends what waits in the outbox, and marks what Kafka acknowledged.

    Killed at any point it loses nothing: what is not marked is sent again, from the first, and
    the inbox drops what came twice.

    :param connect: makes a producer; called again after a failure.
    :param stop: ends :meth:`run` within a second once it is set.
    """

    def __init__(self, connect: Callable[[], Producer], stop: threading.Event) -> None:
        self._connect = connect
        self._stop = stop
        self._producer: Producer | None = None
        self._said = ""

    def run(self) -> None:
        """Relay until told to stop."""
        while not self._stop.is_set():
            try:
                if not try_lock(connection):
                    self._say_once("another relay is active; waiting to take over")
                    self._stop.wait(RETRY_SECONDS)
                    continue
                self._relay()
            except (OperationalError, InterfaceError) as error:
                self._say_once(f"the database is away; waiting: {error}".strip())
                connection.close()
                self._stop.wait(RETRY_SECONDS)
        self.close()

    def relay_batch(self) -> int:
        """Send the next rows and wait for Kafka.

        :returns: the number of rows that were sent and marked.
        :raises KafkaUnavailable: when Kafka is away; nothing is marked that it did not take.
        """
        rows = list(OutboxEvent.objects.filter(published_at__isnull=True)[:BATCH])
        if rows:
            sent = self._send(rows)
            OutboxEvent.objects.filter(pk__in=sent).update(published_at=timezone.now())
            return len(sent)
        return 0

    def close(self) -> None:
        """Let the producer go; what it did not get acknowledged is sent again next time."""
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None

    def _relay(self) -> None:
        while not self._stop.is_set():
            try:
                sent = self.relay_batch()
            except KafkaUnavailable as error:
                self._say_once(f"waiting for Kafka: {error}")
                self.close()
                self._stop.wait(RETRY_SECONDS)
                continue
            if sent:
                self._said = ""
                log.info("relayed", events=sent)
            else:
                self._wait_for_events()

    def _send(self, rows: list[OutboxEvent]) -> list[int]:
        if self._producer is None:
            self._producer = self._connect()
        headers = structured_headers()
        try:
            futures = [
                self._producer.send(
                    row.topic,
                    value=row.payload.encode(),
                    key=row.aggregateid.encode(),
                    headers=headers,
                )
                for row in rows
            ]
            for future in futures:
                self._acknowledged(future)
        except KafkaError as error:
            raise KafkaUnavailable(str(error) or type(error).__name__) from error
        return [row.position for row in rows]

    def _acknowledged(self, future: Any) -> None:
        while True:
            try:
                future.get(timeout=RETRY_SECONDS)
                return
            except KafkaTimeoutError:
                if self._stop.is_set():
                    raise
                self._say_once("waiting for Kafka to acknowledge")

    def _wait_for_events(self) -> None:
        if connection.vendor != "postgresql":
            self._stop.wait(POLL_SECONDS)
            return
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        if OutboxEvent.objects.filter(published_at__isnull=True).exists():
            return
        for _ in connection.connection.notifies(timeout=NOTIFY_SECONDS, stop_after=1):
            pass

    def _say_once(self, what: str) -> None:
        if what != self._said:
            self._said = what
            log.warning(what)
