"""One active relay a database: the lock that a standby waits for."""

import fcntl
import os
import weakref
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.db.utils import OperationalError

ADVISORY_LOCK = 0x0B0C5  # any number, the same in every relay


class LockLost(OperationalError):
    """This process no longer holds the relay's lock; another relay may be active."""


class Lock(Protocol):
    """The relay's lock while it is held."""

    def check(self) -> None:
        """:raises LockLost: when it is no longer held, and this can be told without a query."""

    def release(self) -> None:
        """Let the next relay have it."""


def take(connection: Any) -> Lock | None:
    """Take the relay's lock if it is free.

    :param connection: to the database whose outbox is relayed; it is opened if need be.
    :returns: None while another relay holds it.
    :raises ImproperlyConfigured: on a database other than PostgreSQL and SQLite.
    """
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        return AdvisoryLock.take(connection)
    if connection.vendor != "sqlite":
        raise ImproperlyConfigured("relay_events runs on PostgreSQL and SQLite")
    if connection.is_in_memory_db():
        return NoLock()
    return FileLock.take(f"{connection.settings_dict['NAME']}.relay.lock")


class AdvisoryLock:
    """PostgreSQL's. It belongs to the session, so it is held exactly as long as that lives."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._session = connection.connection

    @classmethod
    def take(cls, connection: Any) -> "AdvisoryLock | None":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
            return cls(connection) if cursor.fetchone()[0] else None

    def check(self) -> None:
        """Django connects anew without a word; a new session does not hold the lock."""
        if self._connection.connection is not self._session or self._session.closed:
            raise LockLost("the session that held the relay's lock is gone")

    def release(self) -> None:
        self.check()
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


class FileLock:
    """For SQLite: an open file beside the database is the lock.

    Whoever deletes or replaces that file lets a second relay in, so the file must still be the
    one that was locked.
    """

    def __init__(self, path: str, file: Any) -> None:
        self._path = path
        self._file = file
        _file_locks.add(self)

    @classmethod
    def take(cls, path: str) -> "FileLock | None":
        lock = cls(path, open(path, "a"))  # noqa: SIM115  the open file is the lock
        try:
            fcntl.flock(lock._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.check()
        except (BlockingIOError, LockLost):
            lock.release()
            return None
        return lock

    def check(self) -> None:
        try:
            is_same = os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno()))
        except (OSError, ValueError):  # nothing is there, or the file is closed
            is_same = False
        if not is_same:
            raise LockLost(f"{self._path} is no longer the file that was locked")

    def release(self) -> None:
        """Close the file, in this process alone: ``flock`` ends with the last that has it open."""
        self._file.close()


_file_locks: "weakref.WeakSet[FileLock]" = weakref.WeakSet()


def _release_in_child() -> None:
    """A forked child shares the open file, and would keep the lock when its parent dies."""
    for lock in list(_file_locks):
        lock.release()


os.register_at_fork(after_in_child=_release_in_child)


class NoLock:
    """For a database in memory, which no other process can reach."""

    def check(self) -> None:
        pass

    def release(self) -> None:
        pass
