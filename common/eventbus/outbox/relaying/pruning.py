"""Pruning the outbox: delete rows that were relayed long ago."""

from datetime import datetime

from eventbus.conf import bus_settings
from eventbus.database.pruning import Pruner
from eventbus.outbox.models import OutboxEvent


def outbox_pruner() -> Pruner:
    """Deletes events relayed more than ``OUTBOX_RETENTION_DAYS`` ago; waiting events stay.

    It only looks at the first rows: positions follow time, and searching for old rows behind recent
    ones would scan the whole table again and again.
    """
    return Pruner("the outbox", bus_settings().outbox_retention_days, _delete_piece)


def _delete_piece(limit: datetime, most: int) -> int:
    first = OutboxEvent.objects.order_by("position").values_list("position", "published_at")[:most]
    old = [position for position, sent in first if sent is not None and sent < limit]
    return OutboxEvent.objects.filter(position__in=old).delete()[0]
