"""Security: the rules, applied to events as they are recorded."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

import structlog
from django.db import DatabaseError
from django.utils import timezone

from audit_service.audit.models import Alert, AuditEntry, KnownActor, Rule
from common.events import Event

SATURDAY = 5
MOST_DIGITS = 30

log = structlog.get_logger(__name__)

Events = Sequence[Event[Any]]


def alerts_for(events: Events) -> list[Alert]:
    """What the active rules find in events that were just recorded; not saved yet.

    It asks the database a number of times that grows with rules and actors, not with events.

    :param events: new ones, not replayed.
    """
    found: list[Alert] = []
    new_actors = meet(events)
    types = {event.type for event in events}
    for rule in Rule.objects.filter(is_active=True):
        its_types = {event_type for event_type in types if concerns(rule, event_type)}
        concerned = [event for event in events if event.type in its_types]
        try:
            found += _found_by(rule, concerned, new_actors)
        except DatabaseError:
            raise
        except Exception:  # no event has to wait for a rule that somebody set up wrongly
            log.exception("a rule failed", rule=rule.name, events=len(concerned))
    return found


def _found_by(rule: Rule, events: Events, new_actors: set[str]) -> list[Alert]:
    if rule.kind == Rule.Kind.NEW_ACTOR:
        return list(_new_actors(rule, events, new_actors))
    return list(FINDERS[rule.kind](rule, events))


def concerns(rule: Rule, event_type: str) -> bool:
    """Whether a rule looks at events of this type."""
    patterns = rule.types.split()
    return not patterns or any(fnmatchcase(event_type, pattern) for pattern in patterns)


_met: set[str] = set()
"""Actors of whom the database is known to know, to ask for each only once a process."""


def meet(events: Events) -> set[str]:
    """Remember who acts.

    :returns: those who were never seen before.
    """
    strangers = {event.actor[:255] for event in events if event.actor} - _met
    if not strangers:
        return strangers
    known = set(KnownActor.objects.filter(name__in=strangers).values_list("name", flat=True))
    _met.update(known)
    new = strangers - known
    now = timezone.now()
    actors = [KnownActor(name=name, first_seen=now) for name in sorted(new)]
    KnownActor.objects.bulk_create(actors, ignore_conflicts=True)
    return new


def _new_actors(rule: Rule, events: Events, new: set[str]) -> Iterator[Alert]:
    told: set[str] = set()
    for event in events:
        actor = event.actor[:255]
        if actor in new and actor not in told:
            told.add(actor)
            yield _alert(rule, event, f"{actor} was never seen before, and made {event.type}")


def _changes(rule: Rule, events: Events) -> Iterator[Alert]:
    for event in events:
        old, new = _numbers(event, rule.field)
        if old is None or new is None or old == new:
            continue
        if old == 0 or abs(new - old) * 100 > abs(old) * (rule.threshold or 0):
            change = f" by {(new - old) * 100 / abs(old):+.0f} %" if old else ""
            yield _alert(rule, event, f"{rule.field} changed{change}, from {old} to {new}")


def _numbers(event: Event[Any], field: str) -> tuple[Decimal | None, Decimal | None]:
    """A number before and after a change; None where the event tells no such number."""
    if b'"previous"' not in event.value or not isinstance(event.data, dict):
        return None, None
    previous = event.data.get("previous")
    if not isinstance(previous, dict) or field not in previous:
        return None, None
    return _number(previous[field]), _number(event.data.get(field))


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS else None


def _deletions(rule: Rule, events: Events) -> Iterator[Alert]:
    window = timedelta(minutes=rule.window_minutes or 0)
    for actor, deletions in _by_actor(event for event in events if event.type.endswith(".deleted")):
        first, last = (pick(map(_time, deletions)) for pick in (min, max))
        earlier = AuditEntry.objects.filter(actor=actor, time__gt=first - window, time__lte=last)
        times = sorted(
            time
            for time, event_type in earlier.values_list("time", "type")
            if event_type.endswith(".deleted") and concerns(rule, event_type)
        )
        quiet = _QuietTime(rule, actor, window, first)
        for event in deletions:
            at = _time(event)
            count = sum(at - window < time <= at for time in times)
            if count >= (rule.threshold or 0) and quiet.is_over(at):
                minutes = rule.window_minutes
                yield _alert(rule, event, f"{actor} deleted {count} within {minutes} minutes")


def _outside_hours(rule: Rule, events: Events) -> Iterator[Alert]:
    window = timedelta(minutes=rule.window_minutes or 0)
    outside = (event for event in events if is_outside_hours(rule, _time(event)))
    for actor, done in _by_actor(outside):
        quiet = _QuietTime(rule, actor, window, min(map(_time, done)))
        for event in done:
            if quiet.is_over(_time(event)):
                local = _time(event).astimezone(rule.zone)
                text = f"{actor or 'Somebody'} made {event.type} at {local:%H:%M on a %A}"
                yield _alert(rule, event, text)


def is_outside_hours(rule: Rule, at: datetime) -> bool:
    """Whether a time is outside a rule's hours, which may go over midnight."""
    local = at.astimezone(rule.zone)
    if rule.weekdays_only and local.weekday() >= SATURDAY:
        return True
    start, end = rule.from_hour or 0, rule.until_hour or 0
    if start < end:
        return not start <= local.hour < end
    return end <= local.hour < start


FINDERS: dict[str, Callable[[Rule, Events], Iterator[Alert]]] = {
    Rule.Kind.CHANGE: _changes,
    Rule.Kind.DELETIONS: _deletions,
    Rule.Kind.HOURS: _outside_hours,
}


class _QuietTime:
    """The time after an alert in which a rule does not tell of the same actor again."""

    def __init__(self, rule: Rule, actor: str, window: timedelta, first: datetime) -> None:
        self._window = window
        earlier = Alert.objects.filter(rule=rule, actor=actor, at__gt=first - window)
        self._told = list(earlier.values_list("at", flat=True))

    def is_over(self, at: datetime) -> bool:
        """Whether an alert may be raised at a time; then the quiet begins anew."""
        if any(abs(at - told) < self._window for told in self._told):
            return False
        self._told.append(at)
        return True


def _by_actor(events: Iterator[Event[Any]]) -> list[tuple[str, list[Event[Any]]]]:
    grouped: dict[str, list[Event[Any]]] = defaultdict(list)
    for event in events:
        grouped[event.actor[:255]].append(event)
    return sorted(grouped.items())


def _time(event: Event[Any]) -> datetime:
    return event.time or timezone.now()


def _alert(rule: Rule, event: Event[Any], text: str) -> Alert:
    return Alert(
        rule=rule,
        text=text[:500],
        at=_time(event),
        actor=event.actor[:255],
        subject=event.subject,
        event_id=event.id,
        source=event.source,
    )
