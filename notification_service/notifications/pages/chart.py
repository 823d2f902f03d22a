"""A small bar chart with one bar per day: sent messages, with failed ones on top."""

from dataclasses import dataclass

from notification_service.notifications.models.subscriptions import Channel
from notification_service.notifications.statistics import ChannelStatistics

WIDTH, HEIGHT, GAP = 14, 60, 2


@dataclass(frozen=True)
class Bar:
    """One day, in pixels of the chart's SVG."""

    x: int
    sent_y: float
    sent_height: float
    failed_y: float
    failed_height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart as the template draws it."""

    channel: str
    pending: int
    total: dict[str, int]
    bars: list[Bar]
    width: int
    height: int = HEIGHT
    bar_width: int = WIDTH - GAP


def chart(statistics: ChannelStatistics) -> Chart:
    """Build the chart of a channel."""
    most = max(1, *(day.sent + day.failed for day in statistics.days))
    bars = []
    for place, day in enumerate(statistics.days):
        sent, failed = (count * HEIGHT / most for count in (day.sent, day.failed))
        label = f"{day.day:%Y-%m-%d}: {day.sent} sent, {day.failed} failed"
        bars.append(Bar(place * WIDTH, HEIGHT - sent, sent, HEIGHT - sent - failed, failed, label))
    total = statistics.total
    channel = Channel(statistics.channel).label
    return Chart(channel, statistics.pending, total, bars, WIDTH * len(bars))
