"""Pruning: delete expired rows in batches."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError
from django.utils import timezone

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
PIECE = 1_000

DeletePiece = Callable[[datetime, int], int]
"""Deletes rows older than a time, at most a given number, and returns how many it deleted."""


class Pruner:
    """Deletes expired rows alongside the main work of a long-running process.

    :param what: what is pruned, for the log, such as "the inbox".
    :param days: how long rows are kept; 0 keeps them forever.
    """

    def __init__(self, what: str, days: int, delete_piece: DeletePiece) -> None:
        self._what = what
        self._retention = timedelta(days=days)
        self._delete_piece = delete_piece
        self._next = 0.0

    def prune(self) -> None:
        """Delete one batch if due: once a minute, or at every call while a backlog remains.

        A database error is only logged. The connection stays open, since the caller may hold a
        lock through it.
        """
        if not self._retention or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        try:
            deleted = self._delete_piece(timezone.now() - self._retention, PIECE)
        except DatabaseError as error:
            log.warning(f"{self._what} not pruned", reason=" ".join(str(error).split()))
            return
        if deleted >= PIECE:
            self._next = 0.0
        if deleted:
            log.info(f"pruned {self._what}", rows=deleted)
