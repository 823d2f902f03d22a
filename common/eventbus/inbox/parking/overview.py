"""The lines of parked events, as the admin and the command show them."""

from typing import Any

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery

from eventbus.inbox.models import ParkedEvent, ParkedKey
from eventbus.inbox.taking.subscriptions import subscription_of, subscriptions


def is_abandoned(key: ParkedKey) -> bool:
    """Whether a line's handler does not exist any more: it was renamed or removed."""
    return bool(key.handler) and subscription_of(key.handler) is None


def abandoned() -> QuerySet[ParkedKey]:
    """The lines in which events wait for handlers that do not exist any more."""
    names = ["", *(subscription.name for subscription in subscriptions)]
    return ParkedKey.objects.exclude(state=ParkedKey.State.CLEAR).exclude(handler__in=names)


def waiting_for_a_person() -> QuerySet[ParkedKey]:
    """The lines that nobody tries again: their first event is dead, or their handler is gone."""
    dead = ParkedKey.objects.filter(state=ParkedKey.State.DEAD)
    return dead | ParkedKey.objects.filter(pk__in=abandoned().values("pk"))


def waiting_keys() -> QuerySet[Any]:
    """The keys whose events wait, each with what is to be said of its line.

    ``head`` is the id of the first event, ``error`` and ``attempts`` are its own; ``waiting`` is
    how many wait, and ``since`` when the first of them was parked.
    """
    line = ParkedEvent.objects.filter(parked_key=OuterRef("pk"), state__in=ParkedEvent.OPEN)
    first = line.order_by("id")
    is_open = Q(events__state__in=ParkedEvent.OPEN)
    return ParkedKey.objects.exclude(state=ParkedKey.State.CLEAR).annotate(
        head=Subquery(first.values("id")[:1]),
        error=Subquery(first.values("error")[:1]),
        attempts=Subquery(first.values("attempts")[:1]),
        waiting=Count("events", filter=is_open),
        since=Min("events__parked_at", filter=is_open),
    )
