"""Alerts about events that a rule could not judge, so that no rule fails silently.

However many such events arrive, each rule raises one alert per hour, actor and event type, and at
most ``MOST`` besides one for all others. An alert shows the first event and counts the rest.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.utils import timezone

from audit_service.audit.models import Alert, Rule
from audit_service.audit.security.sightings import Sighting, Suspicion

HOUR = timedelta(hours=1)
MOST = 50
OTHERS = ("", "")
"""The key for events of further actors and types. No event has an empty type."""

log = structlog.get_logger(__name__)

AlertKey = tuple[str, str]
"""Actor and event type."""


@dataclass(frozen=True)
class Unjudged:
    """An event that a rule could not judge, and why."""

    sighting: Sighting
    reason: str

    @classmethod
    def of(cls, sighting: Sighting, error: Exception) -> "Unjudged":
        text = str(error) or type(error).__name__
        return cls(sighting, "".join(c if c.isprintable() else "?" for c in text[:300]))

    @property
    def key(self) -> AlertKey:
        return self.sighting.actor, self.sighting.event.type

    def alert(self, rule: Rule) -> Alert:
        event = self.sighting.event
        text = f"Could not judge {event.type[:60]} {event.id[:60]}: {self.reason}"
        return Suspicion(self.sighting, text).alert(rule)


def tell(unjudged: Mapping[Rule, Sequence[Unjudged]]) -> None:
    """Raise alerts about these events, or count them in open alerts of the last hour.

    :param unjudged: by the rule that could not judge them.
    """
    # Locked in order: two workers that count in the same alert must not lose updates.
    rules = Rule.objects.filter(pk__in=[rule.pk for rule in unjudged]).order_by("pk")
    list(rules.select_for_update(no_key=True).values_list("pk"))
    for rule, events in unjudged.items():
        log.warning(
            "events could not be judged", rule=rule.name, events=len(events), why=events[0].reason
        )
        _tell(rule, events)


def _tell(rule: Rule, events: Sequence[Unjudged]) -> None:
    alerts = _of_the_last_hour(rule)
    for one in events:
        key = one.key if one.key in alerts or len(alerts) < MOST else OTHERS
        if key not in alerts:
            alerts[key] = one.alert(rule)
            if key == OTHERS:
                alerts[key].actor, alerts[key].event_type = OTHERS
        alerts[key].unjudged += 1
    counted = defaultdict(list)
    for alert in alerts.values():
        counted[alert.pk is None].append(alert)
    Alert.objects.bulk_create(counted[True])
    Alert.objects.bulk_update(counted[False], ["unjudged"])


def _of_the_last_hour(rule: Rule) -> dict[AlertKey, Alert]:
    recent = Alert.objects.filter(rule=rule, unjudged__gt=0, handled_at__isnull=True)
    recent = recent.filter(raised_at__gt=timezone.now() - HOUR).order_by("id")
    return {(alert.actor, alert.event_type): alert for alert in recent}
