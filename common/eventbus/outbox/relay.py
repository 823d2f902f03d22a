"""The relay: sends outbox rows to Kafka, in order and at least once."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

import structlog
from django.db import Error as DatabaseError
from kafka.errors import KafkaError, KafkaTimeoutError

from eventbus.database.alias import bus_connection
from eventbus.database.errors import keeps_from_working
from eventbus.events.codec import structured_headers
from eventbus.kafka.clients import Future, Producer
from eventbus.kafka.connecting import KafkaUnavailable, unavailable
from eventbus.outbox.session import ActiveSession, WaitingEvent

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
REPORT_SECONDS = 1.0

Result = TypeVar("Result")


class Relay:
    """Sends the waiting events of the outbox, and marks those that Kafka acknowledged.

    It can be killed at any point without loss: unmarked events are sent again from the first one,
    and the inbox discards duplicates.

    :param connect: creates a producer; called again after a failure.
    :param database: executes all database work sequentially. With a thread of its own, one batch is
        marked and the next one read while another is being sent.
    :param stop: once set, :meth:`run` ends within a few seconds, even while Kafka is unavailable.
    """

    def __init__(
        self, connect: Callable[[], Producer], database: Executor, stop: threading.Event
    ) -> None:
        self._connect = connect
        self._database = database
        self._stop = stop
        self._producer: Producer | None = None
        self._waiting_for = ""
        self._unreported = 0
        self._next_report = 0.0

    def run(self) -> None:
        """Relay until stopped while this is the active relay; otherwise stand by.

        :raises KafkaRefused: if the login or the certificate is rejected.
        """
        while not self._stop.is_set():
            try:
                session = self._in_database(ActiveSession.begin)
                if session is None:
                    self._wait("the relay's lock", "another relay is active; on standby")
                else:
                    self._waiting_for = ""
                    self._relay(session)
            except DatabaseError as error:
                if not keeps_from_working(error):
                    raise
                self.close()  # unsent messages are now up to the active relay
                self._in_database(_close_connection)
                self._wait("the database", " ".join(str(error).split()))
        self.close()

    def relay_waiting(self, session: ActiveSession) -> int:
        """Send rows batch by batch until none is waiting, or until stopped.

        A batch is sent only once Kafka has acknowledged the whole previous one and this is still
        the active relay. While it is sent, the previous batch is marked and old rows are pruned,
        so a crash makes at most two batches be sent again.

        :returns: the number of rows sent and marked.
        :raises KafkaUnavailable: if Kafka did not acknowledge all of them. Sending resumes from the
            first unacknowledged row, so that no event overtakes another of its key.
        :raises OperationalError: if the session is lost, and the lock with it.
        """
        total = 0
        acknowledged: list[int] = []
        rows = self._in_database(session.read)
        while rows and not self._stop.is_set():
            self._in_database(session.confirm)
            in_flight = [row.position for row in rows]
            ahead = self._database.submit(session.mark_and_read, acknowledged, in_flight)
            pruned = self._database.submit(session.prune)
            acknowledged, failure = self._send(rows, session)
            following = ahead.result()
            pruned.result()
            total += len(acknowledged)
            self._report(len(acknowledged))
            if failure is not None:
                self._in_database(session.mark, acknowledged)
                first = rows[len(acknowledged)]
                raise unavailable(f"{failure}, at event {first}") from failure
            self._waiting_for = ""
            rows = following
        self._in_database(session.mark, acknowledged)
        return total

    def close(self) -> None:
        """Close the producer; unacknowledged events will be sent again."""
        if self._producer is not None:
            self._producer.close(timeout=RETRY_SECONDS)
            self._producer = None

    def _relay(self, session: ActiveSession) -> None:
        try:
            self._relay_while_active(session)
        finally:
            self._in_database(session.end)

    def _relay_while_active(self, session: ActiveSession) -> None:
        while not self._stop.is_set():
            try:
                self.relay_waiting(session)
            except KafkaUnavailable as error:
                self.close()
                self._wait("Kafka", str(error))
            else:
                self._report(0)
                self._in_database(session.prune)
                self._in_database(session.wait_for_more, self._stop)

    def _in_database(self, work: Callable[..., Result], *arguments: Any) -> Result:
        return self._database.submit(work, *arguments).result()

    def _send(
        self, rows: Sequence[WaitingEvent], session: ActiveSession
    ) -> tuple[list[int], KafkaError | None]:
        """Positions of the acknowledged rows up to the first failure, and that failure.

        A row that cannot even be sent ends the batch; earlier rows are still waited for.
        """
        acknowledged: list[int] = []
        futures: list[Future] = []
        failure: KafkaError | None = None
        if self._producer is None:
            self._producer = self._connect()
        try:
            for row in rows:
                futures.append(_send_row(self._producer, row))
        except KafkaError as error:
            failure = error
        try:
            self._flush(self._producer, session)
            for row, future in zip(rows, futures, strict=False):
                future.get(timeout=0)
                acknowledged.append(row.position)
        except KafkaError as error:
            failure = error
        return acknowledged, failure

    def _flush(self, producer: Producer, session: ActiveSession) -> None:
        """Wait as long as Kafka takes, provided that this remains the active relay.

        Giving up would let later messages overtake earlier ones.
        """
        while True:
            try:
                producer.flush(timeout=RETRY_SECONDS)
                return
            except KafkaTimeoutError:
                if self._stop.is_set():
                    raise
                self._in_database(session.confirm)
                self._warn_once("Kafka", "it does not acknowledge messages")

    def _report(self, sent: int) -> None:
        """Log at most one line per second, however small the batches."""
        self._unreported += sent
        if self._unreported and time.monotonic() >= self._next_report:
            log.info("relayed", events=self._unreported)
            self._unreported = 0
            self._next_report = time.monotonic() + REPORT_SECONDS

    def _wait(self, for_what: str, reason: str) -> None:
        self._warn_once(for_what, reason)
        self._stop.wait(RETRY_SECONDS)

    def _warn_once(self, for_what: str, reason: str) -> None:
        """Log one line per outage, even if the reason changes while it lasts."""
        if for_what != self._waiting_for:
            self._waiting_for = for_what
            log.warning(f"waiting for {for_what}", reason=reason)


def _close_connection() -> None:
    """Close the connection of the thread that runs this; its caller has another."""
    bus_connection().close()


def _send_row(producer: Producer, row: WaitingEvent) -> Future:
    return producer.send(
        row.topic,
        value=row.payload.encode(),
        key=row.key.encode(),
        headers=structured_headers(),
    )
