"""What the audit service does with events: it keeps them."""

from typing import Any

from audit_service.audit.models import AuditEntry
from common.events import AnyEvent, Event
from common.events.codec import headers_to_text
from common.inbox import insert, subscribe


@subscribe(AnyEvent, batch=True)
def record(events: list[Event[Any]]) -> None:
    """Keep each event, whole. A replay fills gaps."""
    insert(AuditEntry, FIELDS, map(values, without_those_recorded(events)))


def without_those_recorded(events: list[Event[Any]]) -> list[Event[Any]]:
    """What the inbox lets through is new; what is replayed may be there."""
    if not any(event.replayed for event in events):
        return events
    entries = AuditEntry.objects.filter(event_id__in=[event.id for event in events])
    recorded = set(entries.values_list("event_id", "source"))
    missing = []
    for event in events:
        if (event.id, event.source) not in recorded:
            recorded.add((event.id, event.source))
            missing.append(event)
    return missing


FIELDS = (
    "event_id",
    "source",
    "type",
    "subject",
    "sequence",
    "time",
    "actor",
    "correlation_id",
    "causation_id",
    "topic",
    "partition",
    "offset",
    "headers",
    "value",
)


def values(event: Event[Any]) -> tuple[Any, ...]:
    """What is kept of an event, in the order of ``FIELDS``."""
    envelope = event.envelope
    return (
        envelope.id,
        envelope.source,
        envelope.type,
        event.subject,
        event.sequence,
        envelope.time,
        event.actor[:255],
        (envelope.correlationid or "")[:255],
        (envelope.causationid or "")[:255],
        *event.place,
        headers_to_text(event.headers),
        event.value,
    )
