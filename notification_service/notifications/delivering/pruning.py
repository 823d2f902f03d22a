"""Deletes old events, deliveries and notifications."""

from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db.models import Exists, Model, OuterRef, QuerySet

from eventbus.database.pruning import Pruner
from notification_service.notifications.models import Delivery, Notification, ProductEvent

Row = TypeVar("Row", bound=Model)


def notification_pruner() -> Pruner:
    """Delete events and notifications older than ``NOTIFICATION_RETENTION_DAYS``.

    An event is deleted with its deliveries, but is kept while one of them is pending. Notifications
    are deleted whether they were read or not.
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
