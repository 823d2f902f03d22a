"""Pruning: rows that nobody needs any more are deleted, a piece at a time."""

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
"""Deletes rows from before a time, no more than so many, and says how many."""


class Pruner:
    """Deletes what is older than it has to be, beside the work of a process that runs for years.

    :param what: for the log, such as "the inbox".
    :param days: how long rows are kept; 0 keeps them for ever.
    """

    def __init__(self, what: str, days: int, delete_piece: DeletePiece) -> None:
        self._what = what
        self._retention = timedelta(days=days)
        self._delete_piece = delete_piece
        self._next = 0.0

    def prune(self) -> None:
        """Delete one piece, if it is time to. While there is more, it is time at each call.

        An error of the database is logged and no more. The connection is left as it is: it is
        the caller's, who may hold a lock by it.
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
