"""Who has been seen, and taking turns where two workers look at the same actor."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone

from audit_service.audit.models import KnownActor
from eventbus.events import Event

Identity = tuple[str, str]
"""Event id and source."""


def name_of(event: Event[Any]) -> str:
    """Its actor as the record keeps it; empty where it names none."""
    return event.actor[:255]


def identity(event: Event[Any]) -> Identity:
    return event.id, event.source


def meet(events: Sequence[Event[Any]]) -> set[Identity]:
    """Remember who acts.

    Where two workers meet somebody at once, the first to write the name decides which event was
    the first; the other one waits for its commit, and then reads so.

    :returns: which of the events are the first of their actor that were ever seen.
    """
    first: dict[str, Event[Any]] = {}
    for event in events:
        first.setdefault(name_of(event), event)
    known = KnownActor.objects.filter(name__in=first).values_list("name", flat=True)
    # In order: two workers that meet the same strangers must not deadlock.
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
    """Wait for every worker that counts what one of these actors did, until it has committed.

    From then until this transaction ends, what is read of them is all there is. They must have
    been met. SQLite has one writer at a time, and needs no lock.

    :param names: of actors; the empty one stands for those who are not named.
    """
    if wanted := list(names):
        # In order: two workers that wait for the same actors must not deadlock.
        rows = KnownActor.objects.filter(name__in=wanted).order_by("name")
        list(rows.select_for_update(no_key=True).values_list("pk"))
