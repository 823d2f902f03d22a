"""Pruning the inbox: delete rows whose events can no longer be redelivered."""

from datetime import datetime

from eventbus.conf import bus_settings
from eventbus.database.pruning import Pruner
from eventbus.inbox.models import InboxMessage


def inbox_pruner(consumer: str) -> Pruner:
    """Deletes inbox rows older than ``INBOX_RETENTION_DAYS``.

    Kafka must have deleted these events by then: a redelivered one would be handled again.

    :param consumer: the consumer group whose rows to prune.
    """

    def delete_piece(limit: datetime, most: int) -> int:
        old = InboxMessage.objects.filter(consumer=consumer, received_at__lt=limit)
        times = old.order_by("received_at").values_list("received_at", flat=True)
        if last := times[most - 1 : most].first():
            old = old.filter(received_at__lte=last)
        return old.delete()[0]

    return Pruner("the inbox", bus_settings().inbox_retention_days, delete_piece)
