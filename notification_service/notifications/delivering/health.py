"""The state of the deliveries, for the health check."""

from typing import Any

from django.db.models import Min
from django.utils import timezone

from notification_service.notifications.delivering.circuits import open_lanes
from notification_service.notifications.models import Delivery


def deliveries() -> dict[str, Any]:
    """For how many seconds the oldest delivery has been due, and which lanes are paused."""
    now = timezone.now()
    due = Delivery.objects.filter(state=Delivery.State.PENDING, due_at__lte=now)
    oldest = due.aggregate(oldest=Min("due_at"))["oldest"]
    seconds = round((now - oldest).total_seconds(), 1) if oldest else 0
    return {"overdue_seconds": seconds, "resting": sorted(open_lanes())}
