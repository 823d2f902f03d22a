"""What a health check can say of this service's workers."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from common.inbox.models import ParkedEvent, Worker

ALIVE = timedelta(seconds=20)


def workers() -> list[Any]:
    """The workers that were seen in the last 20 seconds, with their partitions."""
    alive = Worker.objects.filter(seen_at__gt=timezone.now() - ALIVE)
    return list(alive.values("consumer", "host", "pid", "partitions"))


def parked() -> int:
    """How many events wait for a retry or a person."""
    return ParkedEvent.objects.exclude(state=ParkedEvent.State.HANDLED).count()
