"""The lines of parked events, for the admin and the ``parked`` command."""

from typing import Any

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery

from eventbus.inbox.models import ParkedEvent, ParkedKey
from eventbus.inbox.taking.subscriptions import subscription_of, subscriptions


def is_abandoned(key: ParkedKey) -> bool:
    """Whether a line's handler no longer exists, because it was renamed or removed."""
    return bool(key.handler) and subscription_of(key.handler) is None


def abandoned() -> QuerySet[ParkedKey]:
    """The lines whose events wait for handlers that no longer exist."""
    names = ["", *(subscription.name for subscription in subscriptions)]
    return ParkedKey.objects.exclude(state=ParkedKey.State.CLEAR).exclude(handler__in=names)


def waiting_for_a_person() -> QuerySet[ParkedKey]:
    """The lines that are not retried: the first event is dead, or the handler is gone."""
    dead = ParkedKey.objects.filter(state=ParkedKey.State.DEAD)
    return dead | ParkedKey.objects.filter(pk__in=abandoned().values("pk"))


def waiting_keys() -> QuerySet[Any]:
    """The keys with waiting events, annotated with facts about their lines.

    ``head`` is the id of the first event, and ``error`` and ``attempts`` belong to it. ``waiting``
    is the number of waiting events, and ``since`` is when the first of them was parked.
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
