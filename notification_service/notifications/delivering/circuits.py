"""Circuit breakers (Nygard, Release It!): receivers that keep failing are not tried for a while.

Their state is in the database, so that all deliverers share it.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from notification_service.notifications.channels.outcomes import NotSent, SendOutcome, Sent
from notification_service.notifications.models import Circuit

MOST_FAILURES = 5
"""Consecutive failures that open a circuit."""
FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)


def open_lanes() -> set[str]:
    """The names of the lanes that are paused now."""
    opened = Circuit.objects.filter(open_until__gt=timezone.now())
    return set(opened.values_list("lane", flat=True))


def is_on_probation(lane: str) -> bool:
    """Whether the circuit is half-open: just one delivery is tried."""
    return Circuit.objects.filter(lane=lane, failures__gte=MOST_FAILURES).exists()


def note(lane: str, outcome: SendOutcome) -> bool:
    """Count an outcome. A message that is rejected for its own sake says nothing about the lane.

    :returns: whether to continue sending in this lane.
    """
    match outcome:
        case Sent():
            Circuit.objects.filter(lane=lane, failures__gt=0).update(
                failures=0, open_until=None, reason=""
            )
        case NotSent():
            return _note_failure(lane, outcome.reason)
    return True


def _note_failure(lane: str, reason: str) -> bool:
    with transaction.atomic():
        circuit, _ = Circuit.objects.select_for_update().get_or_create(lane=lane)
        circuit.failures += 1
        circuit.reason = reason[:500]
        if circuit.failures >= MOST_FAILURES:
            doublings = min(circuit.failures - MOST_FAILURES, 10)
            rest = min(FIRST_REST * 2**doublings, LONGEST_REST)
            circuit.open_until = timezone.now() + rest
        circuit.save()
    return circuit.failures < MOST_FAILURES
