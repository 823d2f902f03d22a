"""The handlers of the audit service: one records events, one raises alerts about them."""

from typing import Any

from django.utils import timezone

from audit_service.audit.models import AuditEntry
from audit_service.audit.record.chains import Chains
from audit_service.audit.record.months import make_room
from audit_service.audit.record.sealing import SEALED
from audit_service.audit.security import raise_alerts
from eventbus.database.texts import fitting
from eventbus.events import AnyEvent, Event
from eventbus.events.codec import headers_to_text
from eventbus.inbox import insert, subscribe

TEXT = 255
"""Maximum length of text columns."""


@subscribe(AnyEvent, batch=True)
def record(events: list[Event[Any]]) -> None:
    """Append each event to the chain of its partition. Replayed events fill gaps."""
    chains = Chains(event.place[:2] for event in events)
    missing = without_those_recorded(events, chains)
    now = chains.time_of_recording(timezone.now())
    make_room(now)
    rows = []
    for event in missing:
        row = values(event, now)
        rows.append((*row, *chains.add(event.place[:2], row)))
    insert(AuditEntry, (*SEALED, "position", "link"), rows)
    chains.save()


@subscribe(AnyEvent, batch=True, isolated=True)
def watch(events: list[Event[Any]]) -> None:
    """Raise alerts as the rules demand. Replayed events have been checked before.

    It shares only the tables with :func:`record`, so it may run later and on its own.
    """
    new = [event for event in events if not event.replayed]
    if new:
        raise_alerts(new)


def without_those_recorded(events: list[Event[Any]], chains: Chains) -> list[Event[Any]]:
    """Drop events that a replay has recorded ahead of the worker. The inbox drops all others."""
    for event in events:
        if event.replayed:
            chains.note_replay(event.place)
    doubtful = [event.id for event in events if chains.may_have(event.place)]
    if not doubtful:
        return events
    entries = AuditEntry.objects.filter(event_id__in=doubtful)
    recorded = set(entries.values_list("event_id", "source"))
    missing = []
    for event in events:
        if (event.id, event.source) not in recorded:
            recorded.add((event.id, event.source))
            missing.append(event)
    return missing


def values(event: Event[Any], now: Any) -> tuple[Any, ...]:
    """The stored values of an event, in the order of ``SEALED``."""
    envelope = event.envelope
    topic, partition, offset = event.place
    return (
        partition,
        offset,
        now,
        topic,
        envelope.id,
        envelope.source,
        envelope.type,
        event.subject,
        event.sequence,
        envelope.time,
        event.actor[:TEXT],
        fitting(envelope.correlationid or "", TEXT),
        fitting(envelope.causationid or "", TEXT),
        headers_to_text(event.headers),
        event.value,
    )
