"""The relay: outbox rows to Kafka, in order, each at least once."""

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
from eventbus.outbox.relaying.session import ActiveSession, WaitingEvent

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
REPORT_SECONDS = 1.0

Result = TypeVar("Result")


class Relay:
    """Sends what waits in the outbox, and marks what Kafka acknowledged.

    Killed at any point it loses nothing: what is not marked is sent again, from the first, and
    the inbox drops what came twice.

    :param connect: makes a producer; called again after a failure.
    :param database: runs, one after another, everything that this does in the database. With a
        thread of its own, one batch is marked and the next one read while another is sent.
    :param stop: set it, and :meth:`run` ends within a few seconds, also while Kafka is away.
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
        """Relay until told to stop, while this is the active relay; until then, stand by.

        :raises KafkaRefused: when log-in or certificate are refused.
        """
        while not self._stop.is_set():
            try:
                session = self._in_database(ActiveSession.begin)
                if session is None:
                    self._wait("the relay's lock", "another relay is active; this one stands by")
                else:
                    self._waiting_for = ""
                    self._relay(session)
            except DatabaseError as error:
                if not keeps_from_working(error):
                    raise
                self.close()  # what it has not sent yet is for the relay that is active now
                self._in_database(_close_connection)
                self._wait("the database", " ".join(str(error).split()))
        self.close()

    def relay_waiting(self, session: ActiveSession) -> int:
        """Send rows batch by batch until none waits, or told to stop.

        A batch is sent only when Kafka has all of the one before, and this is still the active
        relay. Which rows it took is written down, and old rows are pruned, while the next batch
        is sent; a crash meanwhile sends at most two batches again.

        :returns: the number of rows that were sent and marked.
        :raises KafkaUnavailable: when Kafka did not take all of them. They are sent again from
            the first that it did not take, so that none overtakes another of its key.
        :raises OperationalError: when the session is lost, and the lock with it.
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
        """Let the producer go; what it did not get acknowledged is sent again next time."""
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
        """Positions of the rows that Kafka took, up to the first that it did not, and why.

        A row that cannot even be sent ends the batch; those before it are waited for all the same.
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
        """Wait however long Kafka takes, while this is the active relay.

        Giving up would let later messages overtake.
        """
        while True:
            try:
                producer.flush(timeout=RETRY_SECONDS)
                return
            except KafkaTimeoutError:
                if self._stop.is_set():
                    raise
                self._in_database(session.confirm)
                self._say_once("Kafka", "it does not acknowledge what was sent")

    def _report(self, sent: int) -> None:
        """One line a second at the most, however small the batches are."""
        self._unreported += sent
        if self._unreported and time.monotonic() >= self._next_report:
            log.info("relayed", events=self._unreported)
            self._unreported = 0
            self._next_report = time.monotonic() + REPORT_SECONDS

    def _wait(self, for_what: str, reason: str) -> None:
        self._say_once(for_what, reason)
        self._stop.wait(RETRY_SECONDS)

    def _say_once(self, for_what: str, reason: str) -> None:
        """One line an outage, though the reason may change while it lasts."""
        if for_what != self._waiting_for:
            self._waiting_for = for_what
            log.warning(f"waiting for {for_what}", reason=reason)


def _close_connection() -> None:
    """That of the thread which runs this: its caller has another."""
    bus_connection().close()


def _send_row(producer: Producer, row: WaitingEvent) -> Future:
    return producer.send(
        row.topic,
        value=row.payload.encode(),
        key=row.key.encode(),
        headers=structured_headers(),
    )
