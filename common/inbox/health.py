"""What a health check can say of this service's workers."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from common.inbox.lines import waiting_for_a_person
from common.inbox.models import ParkedEvent, Worker

ALIVE = timedelta(seconds=20)


def workers() -> list[Any]:
    """The workers that were seen in the last 20 seconds, with their partitions and their lag."""
    alive = Worker.objects.filter(seen_at__gt=timezone.now() - ALIVE)
    return list(alive.values("consumer", "host", "pid", "partitions", "lag", "rate"))


def parked() -> int:
    """How many events wait for a retry or a person; one that waits in two lines counts twice."""
    return ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN).count()


def dead() -> int:
    """How many lines wait for a person: of keys, or of a key and an isolated handler."""
    return waiting_for_a_person().count()
