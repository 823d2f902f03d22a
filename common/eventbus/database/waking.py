"""Waking a process that waits for rows: LISTEN and NOTIFY on PostgreSQL, polling elsewhere."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import transaction

POLL_SECONDS = 0.05
NOTIFY_SECONDS = 1.0
"""A notification is lost if its sender dies right after the commit, so nobody waits longer."""


def wake_after_commit(connection: Any, channel: str) -> None:
    """Wake whoever waits on a channel, once for the open transaction, when it has committed.

    A NOTIFY inside the transaction would hold PostgreSQL's single notification lock through the
    fsync of the commit.

    :param connection: the one whose transaction writes the rows.
    :param channel: an identifier in PostgreSQL.
    """
    if connection.vendor != "postgresql":
        return
    if any(getattr(hook, "wakes", None) == channel for _, hook, _ in connection.run_on_commit):
        return

    def wake() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {channel}")

    wake.wakes = channel  # type: ignore[attr-defined]
    transaction.on_commit(wake, using=connection.alias, robust=True)


def wait_for_rows(
    connection: Any, channel: str, any_there: Callable[[], object], stop: threading.Event
) -> None:
    """Return when rows may be there, or after a second at the latest.

    On PostgreSQL that takes a session, not just a transaction: a pooler in transaction mode in
    between delivers no notification.

    :param any_there: asks the database whether rows are there. It is asked after LISTEN, because
        what was committed before sends no notification to this session.
    :param stop: cuts polling short.
    """
    if connection.vendor != "postgresql":
        stop.wait(POLL_SECONDS)
        return
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {channel}")
    if any_there():
        return
    with connection.wrap_database_errors:
        for _ in connection.connection.notifies(timeout=NOTIFY_SECONDS, stop_after=1):
            pass
