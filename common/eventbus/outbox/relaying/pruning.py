"""Pruning the outbox: rows that were relayed long ago."""

from datetime import datetime

from eventbus.conf import bus_settings
from eventbus.database.pruning import Pruner
from eventbus.outbox.models import OutboxEvent


def outbox_pruner() -> Pruner:
    """Deletes what was relayed longer ago than ``OUTBOX_RETENTION_DAYS``; what waits stays.

    It looks at the first rows alone: positions are in the order of time, and a search for old
    rows behind young ones would read the whole table again and again.
    """
    return Pruner("the outbox", bus_settings().outbox_retention_days, _delete_piece)


def _delete_piece(limit: datetime, most: int) -> int:
    first = OutboxEvent.objects.order_by("position").values_list("position", "published_at")[:most]
    old = [position for position, sent in first if sent is not None and sent < limit]
    return OutboxEvent.objects.filter(position__in=old).delete()[0]
