"""What the audit service does with events: it keeps them, and looks at them with suspicion."""

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
"""Characters of a column."""


@subscribe(AnyEvent, batch=True)
def record(events: list[Event[Any]]) -> None:
    """Keep each event, whole, at the end of the chain of its partition. A replay fills gaps."""
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
    """Raise the alerts that the rules ask for. What is replayed has been looked at.

    It shares nothing with :func:`record` but the tables, so it may run later, and by itself.
    """
    new = [event for event in events if not event.replayed]
    if new:
        raise_alerts(new)


def without_those_recorded(events: list[Event[Any]], chains: Chains) -> list[Event[Any]]:
    """What the inbox lets through is new, but for what a replay recorded ahead of the worker."""
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
    """What is kept of an event, in the order of ``SEALED``."""
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
