"""The active relay's session: the lock, and the only access to the outbox's rows under it."""

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self

from django.db import Error
from django.utils import timezone

from eventbus.database.alias import bus_connection
from eventbus.database.waking import wait_for_rows
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.publishing import CHANNEL
from eventbus.outbox.relaying.chores import Chores
from eventbus.outbox.relaying.lock import Lock, LockLost, take
from eventbus.outbox.relaying.pruning import outbox_pruner

BATCH = 1_000


class WaitingEvent(NamedTuple):
    """The columns of an event that are needed to send and to identify it."""

    position: int
    topic: str
    key: str
    payload: str
    id: str
    type: str

    def __str__(self) -> str:
        return f"{self.id} ({self.type} {self.key})"


class ActiveSession:
    """The right to relay, which lasts as long as one database session.

    Everything that a relay does in the database is a method of this class. Each method refuses to
    run any statement once another relay may hold the lock: after the connection was closed or
    replaced, the process was forked, or the lock file was replaced. A lost session stays lost; the
    relay must acquire the lock again.

    Like Django's connections, it belongs to the thread that began it.
    """

    def __init__(self, connection: Any, lock: Lock) -> None:
        self._connection = connection
        self._lock = lock
        self._session = connection.connection
        self._process = os.getpid()
        self._pruner = outbox_pruner()
        self._chores = Chores()

    @classmethod
    def begin(cls) -> Self | None:
        """Take the lock.

        :returns: None while another relay holds it.
        :raises ImproperlyConfigured: on a database other than PostgreSQL and SQLite.
        """
        connection = bus_connection()
        lock = take(connection)
        return cls(connection, lock) if lock else None

    def end(self) -> None:
        """Release the lock; if that fails, it ends with the connection."""
        with suppress(Error):
            self._lock.release()

    def confirm(self) -> None:
        """Ask the database whether this is still the active relay.

        :raises LockLost: if it is not; another database error if the database is unavailable.
        """
        with self._held(), self._connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def read(self, in_flight: Collection[int] = ()) -> list[WaitingEvent]:
        """The first waiting rows, by position.

        :param in_flight: positions to exclude because they are being sent.
        :raises LockLost: if this is no longer the active relay.
        """
        waiting = OutboxEvent.objects.filter(published_at__isnull=True)
        if in_flight:
            waiting = waiting.exclude(position__in=in_flight)
        columns = ("position", "topic", "aggregateid", "payload", "id", "type")
        with self._held():
            return [WaitingEvent(*values) for values in waiting.values_list(*columns)[:BATCH]]

    def mark(self, positions: Collection[int]) -> None:
        """Mark rows as acknowledged by Kafka.

        :raises LockLost: if this is no longer the active relay.
        """
        if positions:
            sent = OutboxEvent.objects.filter(position__in=positions)
            with self._held():
                sent.update(published_at=timezone.now())

    def mark_and_read(
        self, acknowledged: Collection[int], in_flight: Collection[int]
    ) -> list[WaitingEvent]:
        """Mark, then read, while other rows are in flight."""
        self.mark(acknowledged)
        return self.read(in_flight)

    def prune(self) -> None:
        """Delete at most one batch of expired rows, if due.

        A failure is only logged. If it broke the connection, the next method raises.
        """
        with self._held():
            self._pruner.prune()

    def do_a_chore(self) -> bool:
        """Do one piece of the work beside relaying, if there is any.

        :returns: whether there was.
        """
        with self._held():
            return self._chores.do_one()

    def wait_for_more(self, stop: threading.Event) -> None:
        """Block until rows may be waiting; on PostgreSQL, publishing transactions send a NOTIFY.

        :raises LockLost: if this is no longer the active relay.
        """
        waiting = OutboxEvent.objects.filter(published_at__isnull=True)
        with self._held():
            wait_for_rows(self._connection, CHANNEL, waiting.exists, stop)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Run statements, refusing each one if the session is no longer the same.

        Checking once is not enough: Django closes a connection that fails in a transaction, and the
        next statement opens another one, which does not hold the lock.
        """
        self._refuse_if_lost()
        with self._connection.execute_wrapper(self._execute_if_held):
            yield

    def _execute_if_held(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self._refuse_if_lost()
        return execute(*arguments)

    def _refuse_if_lost(self) -> None:
        if self._connection.connection is not self._session or self._process != os.getpid():
            raise LockLost("the session that held the relay's lock has ended")
        self._lock.check()
