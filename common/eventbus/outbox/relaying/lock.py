"""One active relay per database: the lock that standbys wait for."""

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
        """:raises LockLost: if it is no longer held, as far as can be known without a query."""

    def release(self) -> None:
        """Release it for the next relay."""


def take(connection: Any) -> Lock | None:
    """Take the relay's lock if it is free.

    :param connection: to the database whose outbox is relayed; opened if necessary.
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
    """A PostgreSQL advisory lock, which is held exactly as long as its session lives."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._session = connection.connection

    @classmethod
    def take(cls, connection: Any) -> "AdvisoryLock | None":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
            return cls(connection) if cursor.fetchone()[0] else None

    def check(self) -> None:
        """Django reconnects silently, and a new session does not hold the lock."""
        if self._connection.connection is not self._session or self._session.closed:
            raise LockLost("the session that held the relay's lock has ended")

    def release(self) -> None:
        self.check()
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


class FileLock:
    """For SQLite: an open file next to the database is the lock.

    Deleting or replacing that file would let a second relay in, so each check verifies that the
    path still leads to the locked file.
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
        except (OSError, ValueError):  # the path does not exist, or the file is closed
            is_same = False
        if not is_same:
            raise LockLost(f"{self._path} is no longer the locked file")

    def release(self) -> None:
        """Close the file in this process; ``flock`` ends when the last process closes it."""
        self._file.close()


_file_locks: "weakref.WeakSet[FileLock]" = weakref.WeakSet()


def _release_in_child() -> None:
    """A forked child shares the open file, and would keep the lock after its parent dies."""
    for lock in list(_file_locks):
        lock.release()


os.register_at_fork(after_in_child=_release_in_child)


class NoLock:
    """For an in-memory database, which no other process can reach."""

    def check(self) -> None:
        pass

    def release(self) -> None:
        pass
