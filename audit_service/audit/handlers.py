"""What the audit service does with events: it keeps them."""

from typing import Any

from audit_service.audit.models import AuditEntry
from common.events import AnyEvent, Event
from common.events.codec import headers_to_text
from common.inbox import subscribe


@subscribe(AnyEvent, batch=True)
def record(events: list[Event[Any]]) -> None:
    """Keep each event, whole."""
    AuditEntry.objects.bulk_create(entry(event) for event in events)


def entry(event: Event[Any]) -> AuditEntry:
    topic, partition, offset = event.place
    return AuditEntry(
        event_id=event.id,
        source=event.source,
        type=event.type,
        subject=event.subject,
        sequence=event.sequence,
        time=event.time,
        actor=event.actor[:255],
        correlation_id=(event.envelope.correlationid or "")[:255],
        causation_id=(event.envelope.causationid or "")[:255],
        topic=topic,
        partition=partition,
        offset=offset,
        headers=headers_to_text(event.headers),
        value=event.value,
    )
