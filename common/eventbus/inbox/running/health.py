"""What a health check can say of this service's workers."""

from datetime import timedelta
from typing import Any

from django.db.models import F, Sum
from django.utils import timezone

from eventbus.inbox.models import LostMessages, ParkedEvent, WorkerState
from eventbus.inbox.parking.overview import waiting_for_a_person

ALIVE = timedelta(seconds=20)


def workers() -> list[Any]:
    """The workers that were seen in the last 20 seconds, with their partitions and their lag."""
    alive = WorkerState.objects.filter(seen_at__gt=timezone.now() - ALIVE)
    return list(alive.values("consumer", "host", "pid", "partitions", "lag", "rate", "lost"))


def parked() -> int:
    """How many events wait for a retry or a person; one that waits in two lines counts twice."""
    return ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN).count()


def dead() -> int:
    """How many lines wait for a person: of keys, or of a key and an isolated handler."""
    return waiting_for_a_person().count()


def lost() -> int:
    """How many messages Kafka deleted before this service had read them, ever."""
    summed = LostMessages.objects.aggregate(total=Sum(F("last") - F("first") + 1))
    return summed["total"] or 0
