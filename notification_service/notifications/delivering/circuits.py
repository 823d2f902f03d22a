"""Giving a receiver that keeps failing a rest, so that it costs nobody time.

The pattern of a circuit breaker (Nygard, Release It!), kept in the database: all processes that
deliver see the same.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from notification_service.notifications.channels.outcomes import NotSent, SendOutcome, Sent
from notification_service.notifications.models import Circuit

MOST_FAILURES = 5
"""In a row; then it opens."""
FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)


def open_lanes() -> set[str]:
    """The names of those that nothing is sent to now."""
    opened = Circuit.objects.filter(open_until__gt=timezone.now())
    return set(opened.values_list("lane", flat=True))


def is_on_probation(lane: str) -> bool:
    """Whether just one delivery is to be tried."""
    return Circuit.objects.filter(lane=lane, failures__gte=MOST_FAILURES).exists()


def note(lane: str, outcome: SendOutcome) -> bool:
    """Count what came of a delivery. What is refused for its own sake says nothing of the lane.

    :returns: whether more may be sent there now.
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
