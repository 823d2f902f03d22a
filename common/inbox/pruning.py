"""Pruning: inbox rows that no delivery can meet any more are deleted, a piece at a time."""

import time
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from common.inbox.models import InboxMessage

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
PIECE = 1_000


class Pruner:
    """Deletes what the inbox remembers for longer than ``INBOX_RETENTION_DAYS``.

    Kafka must have deleted these events before: one that came again would be handled again.

    :param consumer: the consumer group whose rows it prunes; others prune theirs.
    """

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._retention = timedelta(days=settings.INBOX_RETENTION_DAYS)
        self._next = 0.0

    def prune(self) -> None:
        """Delete one piece, if it is time to. While there is more, it is time at each call."""
        if not self._retention or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        try:
            deleted = self._delete_piece()
        except DatabaseError as error:
            log.warning("inbox not pruned", reason=" ".join(str(error).split()))
            connection.close()
            return
        if deleted >= PIECE:
            self._next = 0.0
        if deleted:
            log.info("pruned the inbox", events=deleted)

    def _delete_piece(self) -> int:
        limit = timezone.now() - self._retention
        old = InboxMessage.objects.filter(consumer=self._consumer, received_at__lt=limit)
        times = old.order_by("received_at").values_list("received_at", flat=True)
        if last := times[PIECE - 1 : PIECE].first():
            old = old.filter(received_at__lte=last)
        return old.delete()[0]
