"""How rules judge a single event."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any, cast

from audit_service.audit.models import Rule
from audit_service.audit.reading.history import PREVIOUS
from audit_service.audit.security.sightings import Sighting
from eventbus.events import Event

SATURDAY = 5
MOST_DIGITS = 30
UPDATED = ".updated"
DELETED = ".deleted"


class Unjudgeable(Exception):
    """A rule cannot decide whether an event is suspicious. The message says why."""


def concerns(rule: Rule, event_type: str) -> bool:
    """Whether a rule applies to events of this type."""
    patterns = rule.types.split()
    return not patterns or any(fnmatchcase(event_type, pattern) for pattern in patterns)


def judge(rule: Rule, sighting: Sighting) -> str | None:
    """Describe what is suspicious about an event; None if nothing is.

    For a rule that counts, this only says whether the event is to be counted.

    :raises Unjudgeable: if the rule cannot decide. Any other error means the same.
    """
    if rule.kind not in JUDGES:
        raise Unjudgeable(f"unknown kind of rule: {rule.kind}")
    return JUDGES[rule.kind](rule, sighting)


def _new_actor(rule: Rule, sighting: Sighting) -> str | None:
    if not sighting.is_first:
        return None
    return f"{sighting.actor} was never seen before ({sighting.event.type})"


def _deletion(rule: Rule, sighting: Sighting) -> str | None:
    if not sighting.event.type.endswith(DELETED):
        return None
    _require(rule, sighting)
    return f"{sighting.actor or 'An unknown actor'} deleted {sighting.event.subject}"


def _outside_hours(rule: Rule, sighting: Sighting) -> str | None:
    _require(rule, sighting)
    local = sighting.at.astimezone(rule.zone)
    if not is_outside_hours(rule, local):
        return None
    who = sighting.actor or "An unknown actor"
    return f"{who} caused {sighting.event.type} at {local:%H:%M on a %A}"


def is_outside_hours(rule: Rule, local: datetime) -> bool:
    """Whether a time is outside the working hours, which may span midnight.

    :param local: in the rule's time zone.
    """
    if rule.weekdays_only and local.weekday() >= SATURDAY:
        return True
    start, end = rule.from_hour or 0, rule.until_hour or 0
    if start < end:
        return not start <= local.hour < end
    return end <= local.hour < start


def _change(rule: Rule, sighting: Sighting) -> str | None:
    _require(rule)
    values = _old_and_new(sighting.event, rule.field)
    if values is None:
        return None
    old = _number(values[0], f"the old {rule.field}")
    new = _number(values[1], f"the new {rule.field}")
    if old == new:
        return None
    threshold = cast(Decimal, rule.threshold)  # ensured by _require()
    if old and abs(new - old) * 100 <= abs(old) * threshold:
        return None
    change = f" by {(new - old) * 100 / abs(old):+.0f} %" if old else ""
    return f"{rule.field} changed{change}, from {old} to {new}"


JUDGES: dict[str, Callable[[Rule, Sighting], str | None]] = {
    Rule.Kind.NEW_ACTOR: _new_actor,
    Rule.Kind.DELETIONS: _deletion,
    Rule.Kind.HOURS: _outside_hours,
    Rule.Kind.CHANGE: _change,
}


def _require(rule: Rule, sighting: Sighting | None = None) -> None:
    """Ensure that the rule has the fields that it needs, and the event a usable time."""
    missing = [name for name in rule.NEEDS[rule.kind] if getattr(rule, name) in (None, "")]
    if missing:
        raise Unjudgeable(f"the rule has no {' and no '.join(missing)}")
    if sighting and sighting.is_at_the_edge:
        raise Unjudgeable(f"its time, {sighting.event.time}, is outside the supported range")


def _old_and_new(event: Event[Any], field: str) -> tuple[Any, Any] | None:
    """Return a field before and after a change; None if the event reports no change of it.

    An event reports a change if its type ends in ``updated`` or ``previous`` occurs anywhere in it.
    If such an event is unreadable, it may be just what the rule should find.
    """
    is_update = event.type.endswith(UPDATED)
    data = _data(event, must_be_readable=is_update or PREVIOUS.encode() in event.value)
    if data is None:
        return None
    if PREVIOUS not in data:
        if is_update and field in data:
            raise Unjudgeable(f"it has no previous value of {field}")
        return None
    previous = data[PREVIOUS]
    if not isinstance(previous, dict):
        raise Unjudgeable(f"its {PREVIOUS!r} is not an object")
    if field not in previous:
        return None
    if field not in data:
        raise Unjudgeable(f"it has a previous value of {field}, but no current one")
    return previous[field], data[field]


def _data(event: Event[Any], *, must_be_readable: bool) -> dict[str, Any] | None:
    try:
        # As plain JSON, whatever class other handlers decode it to.
        data = replace(event, contract=None).data
    except Exception as error:
        if not must_be_readable:
            return None
        raise Unjudgeable(f"its data cannot be read: {error.__cause__ or error}") from error
    if isinstance(data, dict):
        return data
    if must_be_readable:
        raise Unjudgeable("its data is not an object")
    return None


def _number(value: Any, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unjudgeable(f"{what} is not a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Unjudgeable(f"{what} is not a number") from None
    if not number.is_finite():
        raise Unjudgeable(f"{what} is not a finite number")
    if number and abs(number.adjusted()) > MOST_DIGITS:
        raise Unjudgeable(f"{what} has more than {MOST_DIGITS} digits")
    return number
