"""Forgetting what was delivered long ago."""

from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db.models import Exists, Model, OuterRef, QuerySet

from eventbus.database.pruning import Pruner
from notification_service.notifications.models import Delivery, Notification, ProductEvent

Row = TypeVar("Row", bound=Model)


def notification_pruner() -> Pruner:
    """Deletes events and notifications from before ``NOTIFICATION_RETENTION_DAYS``.

    An event goes with its deliveries, and stays while one of them is pending; a notification goes
    whether it was read or not.
    """
    return Pruner("notifications", settings.NOTIFICATION_RETENTION_DAYS, _delete_piece)


def _delete_piece(limit: datetime, most: int) -> int:
    pending = Delivery.objects.filter(event=OuterRef("pk"), state=Delivery.State.PENDING)
    events = ProductEvent.objects.filter(~Exists(pending), at__lt=limit).order_by("at")
    notifications = Notification.objects.filter(created_at__lt=limit).order_by("pk")
    return _delete_first(events, most) + _delete_first(notifications, most)


def _delete_first(old: QuerySet[Row], most: int) -> int:
    ids = list(old.values_list("pk", flat=True)[:most])
    old.model._default_manager.filter(pk__in=ids).delete()
    return len(ids)
