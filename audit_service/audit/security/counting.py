"""Rules that count the activity of an actor within a time window, and report it once in it.

Before counting, workers take turns for each actor, so that no entry is recorded in the meantime
that neither of them counts.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, cast

from django.db.models import Q
from django.db.models.functions import Coalesce

from audit_service.audit.models import Alert, AuditEntry, Rule
from audit_service.audit.security.judging import DELETED, concerns
from audit_service.audit.security.sightings import Suspicion


class Deletion(NamedTuple):
    """A recorded deletion."""

    at: datetime
    type: str
    subject: str
    event_id: str
    source: str


def outside_hours(rule: Rule, actor: str, suspicions: Sequence[Suspicion]) -> Iterator[Alert]:
    """The alerts about one actor's activity outside working hours: one per window."""
    for near in _near_each_other(rule, suspicions):
        first, last = near[0].sighting.at, near[-1].sighting.at
        quiet = _QuietTime(rule, actor, first, last)
        for suspicion in near:
            if quiet.is_over(suspicion.sighting.at):
                yield suspicion.alert(rule)


def deletions(rule: Rule, actor: str, suspicions: Sequence[Suspicion]) -> Iterator[Alert]:
    """The alerts about windows in which one actor deleted too much: one per window.

    All windows that contain a new event are checked: events do not arrive in the order in which
    they happened, so the deletion that exceeds the threshold need not be the last.
    """
    for near in _near_each_other(rule, suspicions):
        yield from _deletions_near(rule, actor, [suspicion.sighting.at for suspicion in near])


def _deletions_near(rule: Rule, actor: str, new: Sequence[datetime]) -> Iterator[Alert]:
    window = _window(rule)
    quiet = _QuietTime(rule, actor, new[0], new[-1] + window)
    ends = _recorded(rule, actor, new[0] - datetime.resolution, new[-1] + window)
    loud = [end for end in ends if not quiet.covers(end.at)]
    if not loud:
        return
    threshold = cast(Decimal, rule.threshold)  # a rule without one has no suspicions
    times = [one.at for one in _recorded(rule, actor, loud[0].at - window, loud[-1].at)]
    for end in loud:
        count = _within(times, end.at, window)
        is_news = _within(new, end.at, window) > 0
        if is_news and count >= threshold and quiet.is_over(end.at):
            text = (
                f"{actor or 'An unknown actor'} deleted {count} items "
                f"within {rule.window_minutes} minutes"
            )
            yield Alert(
                rule=rule,
                text=text[:500],
                at=end.at,
                actor=actor,
                subject=end.subject,
                event_type=end.type,
                event_id=end.event_id,
                source=end.source,
            )


COUNTERS: dict[str, Callable[[Rule, str, Sequence[Suspicion]], Iterator[Alert]]] = {
    Rule.Kind.DELETIONS: deletions,
    Rule.Kind.HOURS: outside_hours,
}


class _QuietTime:
    """The time around an alert in which a rule does not report the same actor again."""

    def __init__(self, rule: Rule, actor: str, first: datetime, last: datetime) -> None:
        self._window = _window(rule)
        alerts = Alert.objects.filter(rule=rule, actor=actor, unjudged=0)
        near = alerts.filter(at__gt=first - self._window, at__lt=last + self._window)
        self._alerted = list(near.values_list("at", flat=True))

    def covers(self, at: datetime) -> bool:
        return any(abs(at - other) < self._window for other in self._alerted)

    def is_over(self, at: datetime) -> bool:
        """Whether an alert may be raised at a time. If so, its quiet time starts."""
        if self.covers(at):
            return False
        self._alerted.append(at)
        return True


def _recorded(rule: Rule, actor: str, after: datetime, until: datetime) -> list[Deletion]:
    """The deletions that a rule counts, ordered by time."""
    by_time = Q(time__gt=after, time__lte=until)
    by_recording = Q(time__isnull=True, recorded_at__gt=after, recorded_at__lte=until)
    rows = (
        AuditEntry.objects.filter(by_time | by_recording, actor=actor, type__endswith=DELETED)
        .annotate(at=Coalesce("time", "recorded_at"))
        .order_by("at", "id")
        .values_list("at", "type", "subject", "event_id", "source")
    )
    return [one for one in map(Deletion._make, rows) if concerns(rule, one.type)]


def _near_each_other(rule: Rule, suspicions: Sequence[Suspicion]) -> Iterator[list[Suspicion]]:
    """Group suspicions by time, apart where no window spans from one to the next.

    Otherwise, one event with an odd time would make the rule read years of the record.
    """
    near: list[Suspicion] = []
    for suspicion in sorted(suspicions, key=lambda s: s.sighting.at):
        if near and suspicion.sighting.at - near[-1].sighting.at > 2 * _window(rule):
            yield near
            near = []
        near.append(suspicion)
    if near:
        yield near


def _window(rule: Rule) -> timedelta:
    return timedelta(minutes=rule.window_minutes or 0)


def _within(times: Sequence[datetime], end: datetime, window: timedelta) -> int:
    """Count the sorted times that are in a window with this end."""
    return bisect_right(times, end) - bisect_right(times, end - window)
