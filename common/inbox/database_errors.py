"""Which errors of the database say nothing about the event: they pass, so the event waits."""

import sqlite3
from typing import Any

from django.db import connection
from django.db.utils import Error, InterfaceError, OperationalError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
PASSING_SQLSTATE_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
QUERY_CANCELED = "57014"  # by statement_timeout: the handler's statement is at fault

# https://www.sqlite.org/rescode.html
PASSING_SQLITE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


def passes(error: Exception) -> bool:
    """Whether the same work may well succeed later: connection lost, deadlock, disk full."""
    if not isinstance(error, Error):
        return False
    cause: Any = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in PASSING_SQLITE_CODES
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is None:
        return isinstance(error, OperationalError | InterfaceError)
    return sqlstate[:2] in PASSING_SQLSTATE_CLASSES and sqlstate != QUERY_CANCELED


def drop_broken_connection() -> None:
    """Let Django connect anew next time, if the connection is broken."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
