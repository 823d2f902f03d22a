"""Which errors of the database say nothing about the work: waiting heals them."""

import sqlite3
from typing import Any

from django.db import transaction
from django.db.utils import Error, InterfaceError, OperationalError

from eventbus.database.alias import bus_connection

PASSING_SQLSTATES = {
    "08000": "connection exception",
    "08001": "the server cannot be reached",
    "08003": "the connection is gone",
    "08004": "the server rejects connections",
    "08006": "the connection broke",
    "08007": "the connection broke during COMMIT; the inbox tells what became of it",
    "08P01": "PgBouncer uses this code when it has no server to offer",
    "25006": "read-only: a failover is under way, or an operator protects a full disk",
    "40001": "serialization failure; the documentation asks for the transaction to be repeated",
    "40003": "statement completion unknown",
    "40P01": "deadlock",
    "53000": "the server has run out of a resource, such as open files",
    "53100": "disk full",
    "53200": "the server is out of memory",
    "53300": "too many connections",
    "55P03": "a lock was not available in time",
    "57P01": "the server shuts down, or an operator ended the session",
    "57P02": "the server shuts down after a crash",
    "57P03": "the server is starting up",
    "57P04": "the database was dropped; nothing can be parked until it is restored",
    "57P05": "the session was idle for too long; the next one is new",
    "58000": "error of the operating system",
    "58030": "I/O error",
}
"""Codes of PostgreSQL, each with the reason why it is waited for.

https://www.postgresql.org/docs/current/errcodes-appendix.html, read class by class. What is not
listed is the work's own fault, or at least not healed by waiting. Close calls:

- 25P03, 25P04 (idle in transaction or transaction for too long) and 57014 (canceled, mostly by
  ``statement_timeout``): the work is too slow.
- 40002: a constraint is violated.
- 53400 (a limit of the configuration, such as ``temp_file_limit``) and class 54 (limits of the
  program): the statement asks for too much.
- 55000 (``currval`` of a fresh sequence), 55006 (``ALTER TABLE`` of a table that this session
  reads), 55P02, 55P04: a statement in the wrong place.
- 26000 (no such prepared statement), 58P01 and 58P02 (a file is missing, or is there already),
  class XX (internal errors, corruption): they do not go away.
"""

# https://www.sqlite.org/rescode.html
PASSING_SQLITE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""Primary result codes. Everything else is SQLITE_ERROR ("no such table") or a misuse."""


def passes(error: BaseException) -> bool:
    """Whether the same work may well succeed later: connection lost, deadlock, disk full.

    psycopg raises errors without a code where the connection breaks, and also where it is misused
    ("the cursor is closed"); what tells them apart is whether the connection still stands.

    :param error: as Django raises it, whose cause is the driver's own error.
    """
    if not isinstance(error, Error):
        return False
    cause: Any = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in PASSING_SQLITE_CODES
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is None:
        return isinstance(error, OperationalError | InterfaceError) and is_disconnected()
    return sqlstate in PASSING_SQLSTATES


def keeps_from_working(error: BaseException) -> bool:
    """Whether a process waits for an error of a statement of its own, which no event brought about.

    Besides what passes, that is all that the driver calls operational, such as a statement that
    ran into its time limit.
    """
    return passes(error) or isinstance(error, OperationalError | InterfaceError)


def database_answers() -> bool:
    """Whether the database can be reached now."""
    reconnect()
    try:
        with bus_connection().cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def reconnect() -> None:
    """Have the next statement open a connection: this one may be broken, or lead to a standby."""
    connection = bus_connection()
    if not connection.in_atomic_block:
        connection.close()


def rollback_only() -> bool:
    """Whether the open transaction can only be rolled back, though nobody raised.

    Somebody caught an error of the database without a savepoint around its cause. Django and
    PostgreSQL then answer a commit with a rollback, and report no error.
    """
    connection = bus_connection()
    if transaction.get_rollback(using=connection.alias):
        return True
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    status = connection.connection.info.transaction_status
    return bool(status == status.INERROR)


def is_disconnected() -> bool:
    """Whether the connection is gone, and the transaction that was open with it."""
    raw: Any = bus_connection().connection
    return raw is None or bool(getattr(raw, "closed", False))
