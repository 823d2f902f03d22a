"""What a health check reports about workers and parked events."""

from datetime import timedelta
from typing import Any

from django.db.models import F, Sum
from django.utils import timezone

from eventbus.inbox.models import LostMessages, ParkedEvent, WorkerState
from eventbus.inbox.parking.overview import waiting_for_a_person

ALIVE = timedelta(seconds=20)


def workers() -> list[Any]:
    """The workers seen in the last 20 seconds, with their partitions and lag."""
    alive = WorkerState.objects.filter(seen_at__gt=timezone.now() - ALIVE)
    return list(alive.values("consumer", "host", "pid", "partitions", "lag", "rate", "lost"))


def parked() -> int:
    """The number of parked events; an event that waits in two lines counts twice."""
    return ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN).count()


def dead() -> int:
    """The number of lines that need a person's decision."""
    return waiting_for_a_person().count()


def lost() -> int:
    """The total number of messages that Kafka deleted before this service had read them."""
    summed = LostMessages.objects.aggregate(total=Sum(F("last") - F("first") + 1))
    return summed["total"] or 0
