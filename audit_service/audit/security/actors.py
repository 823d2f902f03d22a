"""Known actors, and how workers that check the same actor take turns."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone

from audit_service.audit.models import KnownActor
from eventbus.events import Event

Identity = tuple[str, str]
"""Event id and source."""


def name_of(event: Event[Any]) -> str:
    """The actor of an event as the record stores it; empty if it has none."""
    return event.actor[:255]


def identity(event: Event[Any]) -> Identity:
    return event.id, event.source


def meet(events: Sequence[Event[Any]]) -> set[Identity]:
    """Remember the actors of these events.

    If two workers meet a new actor at once, the first to write the name determines which event was
    the first. The other one waits for its commit, and then reads that.

    :returns: the events that are the first of their actor ever.
    """
    first: dict[str, Event[Any]] = {}
    for event in events:
        first.setdefault(name_of(event), event)
    known = KnownActor.objects.filter(name__in=first).values_list("name", flat=True)
    # In order: two workers that meet the same new actors must not deadlock.
    strangers = sorted(first.keys() - set(known))
    if not strangers:
        return set()
    now = timezone.now()
    KnownActor.objects.bulk_create(
        (
            KnownActor(
                name=name, first_seen=now, event_id=first[name].id, source=first[name].source
            )
            for name in strangers
        ),
        ignore_conflicts=True,
    )
    met = KnownActor.objects.filter(name__in=strangers).exclude(name="")
    seen_first = set(met.values_list("name", "event_id", "source"))
    return {identity(first[n]) for n in strangers if (n, *identity(first[n])) in seen_first}


def take_turns(names: Iterable[str]) -> None:
    """Wait until every worker that counts the activity of one of these actors has committed.

    After that, and until this transaction ends, this worker sees all of their activity. The actors
    must be known. SQLite has a single writer, and needs no lock.

    :param names: of the actors; the empty name stands for events without an actor.
    """
    if wanted := list(names):
        # In order: two workers that wait for the same actors must not deadlock.
        rows = KnownActor.objects.filter(name__in=wanted).order_by("name")
        list(rows.select_for_update(no_key=True).values_list("pk"))
