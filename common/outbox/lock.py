"""One active relay a database: the lock that a standby waits for."""

import fcntl
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured

ADVISORY_LOCK = 0x0B0C5  # any number, the same in every relay


def try_lock(connection: Any) -> bool:
    """Take the relay's lock if it is free. It is held until the connection or process ends.

    :raises ImproperlyConfigured: on a database other than PostgreSQL and SQLite.
    """
    locks: dict[str, Callable[[Any], bool]] = {"postgresql": _advisory, "sqlite": _file}
    if connection.vendor not in locks:
        raise ImproperlyConfigured("relay_events runs on PostgreSQL and SQLite")
    return locks[connection.vendor](connection)


def _advisory(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
        return bool(cursor.fetchone()[0])


_files: dict[str, Any] = {}


def _file(connection: Any) -> bool:
    path = f"{connection.settings_dict['NAME']}.relay.lock"
    if path in _files:
        return True
    handle = open(path, "w")  # noqa: SIM115  the open file is the lock
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return False
    _files[path] = handle
    return True
