"""Which database errors are transient: retrying later may succeed without any fix."""

import sqlite3
from typing import Any

from django.db import transaction
from django.db.utils import Error, InterfaceError, OperationalError

from eventbus.database.alias import bus_connection

PASSING_SQLSTATES = {
    "08000": "connection exception",
    "08001": "the server cannot be reached",
    "08003": "the connection no longer exists",
    "08004": "the server rejects connections",
    "08006": "the connection broke",
    "08007": "the connection broke during COMMIT; the inbox shows whether it succeeded",
    "08P01": "PgBouncer uses this code when no server is available",
    "25006": "read-only: a failover is in progress, or an operator protects a full disk",
    "40001": "serialization failure; the documentation says to retry the transaction",
    "40003": "statement completion unknown",
    "40P01": "deadlock",
    "53000": "the server is out of a resource, such as open files",
    "53100": "disk full",
    "53200": "the server is out of memory",
    "53300": "too many connections",
    "55P03": "a lock was not available in time",
    "57P01": "the server is shutting down, or an operator terminated the session",
    "57P02": "the server is restarting after a crash",
    "57P03": "the server is starting up",
    "57P04": "the database was dropped; nothing can be parked until it is restored",
    "57P05": "the session was idle for too long; a new one will be opened",
    "58000": "operating system error",
    "58030": "I/O error",
}
"""SQLSTATE codes of PostgreSQL, each with the reason why it is considered transient.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html, class by class. Any other
code is the fault of the statement, or at least does not go away by waiting. Close calls:

- 25P03, 25P04 (idle-in-transaction and transaction timeout) and 57014 (canceled, usually by
  ``statement_timeout``): the work is too slow.
- 40002: a constraint is violated.
- 53400 (a configured limit, such as ``temp_file_limit``) and class 54 (program limits): the
  statement asks for too much.
- 55000 (``currval`` of a fresh sequence), 55006 (``ALTER TABLE`` of a table that this session
  reads), 55P02, 55P04: the statement is used in the wrong place.
- 26000 (no such prepared statement), 58P01 and 58P02 (a file is missing, or already exists),
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
"""Primary result codes. The others are SQLITE_ERROR ("no such table") or misuse."""


def passes(error: BaseException) -> bool:
    """Whether the error is transient: connection lost, deadlock, disk full.

    psycopg raises errors without a code when the connection breaks, and also on misuse ("the
    cursor is closed"); the two are told apart by whether the connection is still open.

    :param error: as raised by Django, with the driver's error as its cause.
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
    """Whether a process should wait and retry after an error in its own bookkeeping statements.

    Besides transient errors, these are all that the driver calls operational, such as a statement
    timeout: no event can be the cause.
    """
    return passes(error) or isinstance(error, OperationalError | InterfaceError)


def database_answers() -> bool:
    """Whether the database is reachable now."""
    reconnect()
    try:
        with bus_connection().cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def reconnect() -> None:
    """Make the next statement open a new connection; this one may be broken or on a standby."""
    connection = bus_connection()
    if not connection.in_atomic_block:
        connection.close()


def rollback_only() -> bool:
    """Whether the open transaction can only be rolled back, although no exception propagated.

    That is the case when code caught a database error without a savepoint around the statement.
    Django and PostgreSQL then turn the commit into a rollback without reporting an error.
    """
    connection = bus_connection()
    if transaction.get_rollback(using=connection.alias):
        return True
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    status = connection.connection.info.transaction_status
    return bool(status == status.INERROR)


def is_disconnected() -> bool:
    """Whether the connection is lost, and any open transaction with it."""
    raw: Any = bus_connection().connection
    return raw is None or bool(getattr(raw, "closed", False))
