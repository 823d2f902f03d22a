"""Forgetting what was delivered long ago."""

import time
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from notification_service.notifications.models import Delivery, Notification, ProductEvent

EVERY_SECONDS = 3600.0
AT_ONCE = 1_000


def prune() -> int:
    """Delete events and notifications that are older than NOTIFICATION_RETENTION_DAYS.

    An event goes with its deliveries, and stays while one of them is pending; a notification
    goes whether it was read or not.

    :returns: how many rows of both were deleted; their deliveries are not counted.
    """
    if not settings.NOTIFICATION_RETENTION_DAYS:
        return 0
    before = timezone.now() - timedelta(days=settings.NOTIFICATION_RETENTION_DAYS)
    pending = Delivery.objects.filter(event=OuterRef("pk"), state=Delivery.State.PENDING)
    events = ProductEvent.objects.filter(~Exists(pending), at__lt=before)
    notifications = Notification.objects.filter(created_at__lt=before)
    deleted = 0
    for old in (events, notifications):
        while ids := list(old.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
            old.model._default_manager.filter(pk__in=ids).delete()
            deleted += len(ids)
    return deleted


class Pruner:
    """Prunes at the start, and once an hour."""

    def __init__(self) -> None:
        self._next = 0.0

    def prune_when_due(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            prune()
