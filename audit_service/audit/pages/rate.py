"""The number of events over time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDay, TruncHour, TruncMinute

from audit_service.audit.models import AuditEntry


@dataclass(frozen=True)
class Window:
    """How far to look back, and at which resolution."""

    label: str
    step: timedelta
    steps: int
    truncate: Callable[[str], object]


WINDOWS = {
    "hour": Window("the last hour", timedelta(minutes=1), 60, TruncMinute),
    "day": Window("the last 24 hours", timedelta(hours=1), 24, TruncHour),
    "month": Window("the last 30 days", timedelta(days=1), 30, TruncDay),
}


def rate(entries: QuerySet[AuditEntry], window: Window, now: datetime) -> dict[str, list[int]]:
    """Count the events in each step.

    :returns: ``times``, the starts of the steps in Unix seconds, and ``counts``.
    """
    end = (
        int(now.timestamp()) // int(window.step.total_seconds()) * int(window.step.total_seconds())
    )
    step = int(window.step.total_seconds())
    times = [end - step * back for back in reversed(range(window.steps))]
    start = datetime.fromtimestamp(times[0], now.tzinfo)
    until = datetime.fromtimestamp(end + step, now.tzinfo)
    counted = (
        entries.filter(time__gte=start, time__lt=until)
        .order_by()
        .annotate(step=window.truncate("time"))
        .values_list("step")
        .annotate(count=Count("id"))
    )
    found = {int(when.timestamp()): count for when, count in counted if when}
    return {"times": times, "counts": [found.get(time, 0) for time in times]}
