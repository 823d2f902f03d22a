"""Pruning the inbox: rows that no delivery can meet any more."""

from datetime import datetime

from eventbus.conf import bus_settings
from eventbus.database.pruning import Pruner
from eventbus.inbox.models import InboxMessage


def inbox_pruner(consumer: str) -> Pruner:
    """Deletes what the inbox remembers for longer than ``INBOX_RETENTION_DAYS``.

    Kafka must have deleted these events before: one that came again would be handled again.

    :param consumer: the consumer group whose rows it prunes; others prune theirs.
    """

    def delete_piece(limit: datetime, most: int) -> int:
        old = InboxMessage.objects.filter(consumer=consumer, received_at__lt=limit)
        times = old.order_by("received_at").values_list("received_at", flat=True)
        if last := times[most - 1 : most].first():
            old = old.filter(received_at__lte=last)
        return old.delete()[0]

    return Pruner("the inbox", bus_settings().inbox_retention_days, delete_piece)
