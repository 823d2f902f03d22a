"""Events as the rules see them: with a usable time, and whether their actor is new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.utils import timezone

from audit_service.audit.models import Alert, AuditEntry, Rule
from audit_service.audit.security.actors import Identity, identity, meet, name_of
from eventbus.events import Event

EARLIEST = datetime(1, 2, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 1, tzinfo=UTC)
"""Within this range, any time zone and twice the longest window of a rule can be added."""


class Sighting(NamedTuple):
    """One event.

    :param at: when it happened; if it has no usable time, when it was recorded.
    :param is_at_the_edge: whether its time is outside the usable range. ``at`` is then the time of
        recording.
    :param is_first: whether it is the first event of its actor ever.
    """

    event: Event[Any]
    at: datetime
    is_at_the_edge: bool
    is_first: bool

    @property
    def actor(self) -> str:
        return name_of(self.event)


@dataclass(frozen=True)
class Suspicion:
    """What a rule finds suspicious about an event, in words."""

    sighting: Sighting
    text: str

    def alert(self, rule: Rule) -> Alert:
        """Build the alert, without saving it."""
        event = self.sighting.event
        return Alert(
            rule=rule,
            text=self.text[:500],
            at=self.sighting.at,
            actor=self.sighting.actor,
            subject=event.subject,
            event_type=event.type,
            event_id=event.id,
            source=event.source,
        )


def look_at(events: Sequence[Event[Any]]) -> list[Sighting]:
    """Prepare these events for the rules, in order. Their actors are known from now on."""
    firsts = meet(events)
    usable = [_usable(event.time) for event in events]
    without = [event for event, at in zip(events, usable, strict=True) if at is None]
    recorded = _times_of_recording(without) if without else {}
    now = timezone.now()
    return [
        Sighting(
            event,
            at or recorded.get(identity(event), now),
            at is None and event.time is not None,
            bool(firsts) and identity(event) in firsts,
        )
        for event, at in zip(events, usable, strict=True)
    ]


def _usable(time: datetime | None) -> datetime | None:
    if time is None or not EARLIEST <= time <= LATEST:
        return None
    return time.astimezone(UTC)


def _times_of_recording(events: Sequence[Event[Any]]) -> dict[Identity, datetime]:
    entries = AuditEntry.objects.filter(event_id__in=[event.id for event in events])
    found = entries.values_list("event_id", "source", "recorded_at")
    return {(event_id, source): recorded_at for event_id, source, recorded_at in found}
