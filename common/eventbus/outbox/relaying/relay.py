"""The relay: sends outbox rows to Kafka, in order and at least once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from kafka.errors import KafkaError, KafkaTimeoutError

from eventbus.database.errors import reconnect
from eventbus.events.codec import structured_headers
from eventbus.kafka.clients import Future, Producer
from eventbus.kafka.connecting import KafkaUnavailable, unavailable
from eventbus.outbox.relaying.session import ActiveSession, WaitingEvent
from eventbus.running.daemon import Daemon, Outage, Report

PATIENCE_SECONDS = 1.0
"""How long Kafka may take, until the relay makes sure that it is still active."""

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
        self._session: ActiveSession | None = None
        self._daemon = Daemon(stop, self._step, recover=self._recover)
        self._lock = Outage("the relay's lock", stop)
        self._kafka = Outage("Kafka", stop)
        self._report = Report("relayed", "events")

    def run(self) -> None:
        """Relay until stopped while this is the active relay; otherwise stand by.

        :raises KafkaRefused: if the login or the certificate is rejected.
        """
        try:
            self._daemon.run()
        finally:
            self._let_go()
            self._report.flush()

    def _step(self) -> None:
        self._session = self._session or self._in_database(ActiveSession.begin)
        if self._session is None:
            self._lock.wait("another relay is active; on standby")
            return
        self._lock.end()
        try:
            self.relay_waiting(self._session)
        except KafkaUnavailable as error:
            self.close()
            self._kafka.wait(error)
        else:
            self._report.add()
            self._in_database(self._session.prune)
            if not self._in_database(self._session.do_a_chore):
                self._in_database(self._session.wait_for_more, self._stop)

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
            if total:  # rows were marked, so the database takes what is written
                self._daemon.database.end()
            total += len(acknowledged)
            self._report.add(len(acknowledged))
            if failure is not None:
                self._in_database(session.mark, acknowledged)
                first = rows[len(acknowledged)]
                raise unavailable(f"{failure}, at event {first}") from failure
            self._kafka.end()
            rows = following
        self._in_database(session.mark, acknowledged)
        return total

    def close(self) -> None:
        """Close the producer; unacknowledged events will be sent again."""
        if self._producer is not None:
            self._producer.close(timeout=PATIENCE_SECONDS)
            self._producer = None

    def _let_go(self) -> None:
        """Leave the rest to the relay that is active next."""
        self.close()
        if self._session is not None:
            self._in_database(self._session.end)
            self._session = None

    def _recover(self) -> None:
        self._let_go()
        self._in_database(reconnect)

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
                producer.flush(timeout=PATIENCE_SECONDS)
                return
            except KafkaTimeoutError:
                if self._stop.is_set():
                    raise
                self._in_database(session.confirm)
                self._kafka.note("it does not acknowledge messages")


def _send_row(producer: Producer, row: WaitingEvent) -> Future:
    return producer.send(
        row.topic,
        value=row.payload.encode(),
        key=row.key.encode(),
        headers=structured_headers(),
    )
