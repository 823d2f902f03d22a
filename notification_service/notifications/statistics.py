"""Numbers of deliveries by channel and day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from notification_service.notifications.models import Delivery
from notification_service.notifications.models.subscriptions import Channel

DAYS = 14
State = Delivery.State
FINISHED = (State.SENT, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Day:
    """Outcomes of the deliveries that were finished on one day (UTC)."""

    day: date
    sent: int
    failed: int
    cancelled: int


@dataclass(frozen=True)
class ChannelStatistics:
    """One channel: its pending deliveries, and the outcomes of each day, oldest first."""

    channel: str
    pending: int
    days: list[Day]

    @property
    def total(self) -> dict[str, int]:
        """The sums over all days."""
        return {state: sum(getattr(day, state) for day in self.days) for state in FINISHED}


def statistics(deliveries: QuerySet[Delivery]) -> list[ChannelStatistics]:
    """Count these deliveries for the last 14 days."""
    today = timezone.now().date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    finished = (
        deliveries.filter(finished_at__gte=datetime.combine(days[0], time(), UTC))
        .order_by()
        .annotate(day=TruncDate("finished_at"))
        .values_list("channel", "day", "state")
        .annotate(count=Count("pk"))
    )
    counts = {(channel, day, state): count for channel, day, state, count in finished}
    waiting = deliveries.filter(state=State.PENDING).order_by().values_list("channel")
    pending = dict(waiting.annotate(count=Count("pk")))
    return [
        ChannelStatistics(channel, pending.get(channel, 0), list(_days(channel, days, counts)))
        for channel in Channel
    ]


def _days(
    channel: str, days: list[date], counts: dict[tuple[str, date, str], int]
) -> Iterator[Day]:
    for day in days:
        yield Day(day, *(counts.get((channel, day, state), 0) for state in FINISHED))
