"""What a health check can say of this service's workers."""

from datetime import timedelta
from typing import Any

from django.db.models import F, Sum
from django.utils import timezone

from common.inbox.models import LostMessages, ParkedEvent, ParkedKey, Worker

ALIVE = timedelta(seconds=20)


def workers() -> list[Any]:
    """The workers that were seen in the last 20 seconds, with their partitions and their lag."""
    alive = Worker.objects.filter(seen_at__gt=timezone.now() - ALIVE)
    return list(alive.values("consumer", "host", "pid", "partitions", "lag", "rate", "lost"))


def parked() -> int:
    """How many events wait for a retry or a person."""
    return ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN).count()


def dead() -> int:
    """How many keys wait for a person."""
    return ParkedKey.objects.filter(state=ParkedKey.State.DEAD).count()


def lost() -> int:
    """How many messages Kafka deleted before this service had read them, ever."""
    summed = LostMessages.objects.aggregate(total=Sum(F("last") - F("first") + 1))
    return summed["total"] or 0
