"""The active relay's session: the lock and the only way to the outbox's rows, as one value."""

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
    """What is sent of an event, and what tells it from others."""

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

    Everything that a relay does in the database is a method of this, and each of them refuses
    to run any statement once the lock may be another's: the connection was closed or replaced,
    the process was forked, the lock file is another one. A dead session stays dead; the relay
    must ask for the lock again.

    Like Django's connections it belongs to the thread in which it began.
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

        :returns: None while another relay has it.
        :raises ImproperlyConfigured: on a database other than PostgreSQL and SQLite.
        """
        connection = bus_connection()
        lock = take(connection)
        return cls(connection, lock) if lock else None

    def end(self) -> None:
        """Give the lock back. What cannot be given back ends with the connection."""
        with suppress(Error):
            self._lock.release()

    def confirm(self) -> None:
        """Ask the database whether this is still the active relay.

        :raises LockLost: when it is not; another error of Django's when the database is away.
        """
        with self._held(), self._connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def read(self, in_flight: Collection[int] = ()) -> list[WaitingEvent]:
        """The first rows that wait, by position.

        :param in_flight: positions to leave out, because they are being sent.
        :raises LockLost: when this is no longer the active relay.
        """
        waiting = OutboxEvent.objects.filter(published_at__isnull=True)
        if in_flight:
            waiting = waiting.exclude(position__in=in_flight)
        columns = ("position", "topic", "aggregateid", "payload", "id", "type")
        with self._held():
            return [WaitingEvent(*values) for values in waiting.values_list(*columns)[:BATCH]]

    def mark(self, positions: Collection[int]) -> None:
        """Write down that Kafka has these.

        :raises LockLost: when this is no longer the active relay.
        """
        if positions:
            sent = OutboxEvent.objects.filter(position__in=positions)
            with self._held():
                sent.update(published_at=timezone.now())

    def mark_and_read(
        self, acknowledged: Collection[int], in_flight: Collection[int]
    ) -> list[WaitingEvent]:
        """Both, while what is in flight is being sent."""
        self.mark(acknowledged)
        return self.read(in_flight)

    def prune(self) -> None:
        """Delete at most one piece of what was relayed long ago, if it is time to.

        A failure is logged and no more. If it cost the connection, the next method raises.
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
        """Until something may wait; on PostgreSQL the publishing transaction says so.

        :raises LockLost: when this is no longer the active relay.
        """
        waiting = OutboxEvent.objects.filter(published_at__isnull=True)
        with self._held():
            wait_for_rows(self._connection, CHANNEL, waiting.exists, stop)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Run statements, each of which is refused when the session is no longer the same.

        Once is not enough: Django closes a connection that fails in a transaction, and the next
        statement opens another one, which holds no lock.
        """
        self._refuse_if_lost()
        with self._connection.execute_wrapper(self._execute_if_held):
            yield

    def _execute_if_held(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self._refuse_if_lost()
        return execute(*arguments)

    def _refuse_if_lost(self) -> None:
        if self._connection.connection is not self._session or self._process != os.getpid():
            raise LockLost("the session that held the relay's lock is gone")
        self._lock.check()
