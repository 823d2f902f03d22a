"""From events to alerts: judge each event, take turns, count, report what could not be judged."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError

from audit_service.audit.models import Alert, Rule
from audit_service.audit.security.actors import take_turns
from audit_service.audit.security.counting import COUNTERS
from audit_service.audit.security.judging import concerns, judge
from audit_service.audit.security.sightings import Sighting, Suspicion, look_at
from audit_service.audit.security.unjudged import Unjudged, tell
from eventbus.events import Event


@dataclass
class Verdict:
    """The findings of one rule in a batch of events."""

    rule: Rule
    suspicions: list[Suspicion] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)

    def by_actor(self) -> dict[str, list[Suspicion]]:
        grouped = defaultdict(list)
        for suspicion in self.suspicions:
            grouped[suspicion.sighting.actor].append(suspicion)
        return grouped


def raise_alerts(events: Sequence[Event[Any]]) -> None:
    """Raise the alerts that the active rules find in recorded events.

    Each event is judged on its own: whatever it contains, the others are judged as well, and an
    event that a rule cannot judge raises an alert too. The number of queries depends on the number
    of rules and actors, not of events.

    Two workers may do this at once. For rules that count, they take turns for each actor, from here
    until they commit. So the later one sees what the earlier one has recorded and reported.

    :param events: recorded in this transaction or before, not replayed, each once.
    """
    seen = look_at(events)
    verdicts = [_verdict(rule, seen) for rule in Rule.objects.filter(is_active=True)]
    counting = [verdict for verdict in verdicts if verdict.rule.kind in COUNTERS]
    take_turns({actor for verdict in counting for actor in verdict.by_actor()})
    Alert.objects.bulk_create(alert for verdict in verdicts for alert in _alerts(verdict))
    if unjudged := {v.rule: v.unjudged for v in verdicts if v.unjudged}:
        tell(unjudged)


def _verdict(rule: Rule, seen: Sequence[Sighting]) -> Verdict:
    verdict = Verdict(rule)
    types = {sighting.event.type for sighting in seen}
    its_types = {event_type for event_type in types if concerns(rule, event_type)}
    for sighting in seen:
        if sighting.event.type not in its_types:
            continue
        try:
            text = judge(rule, sighting)
        except Exception as error:  # concerns this event only
            verdict.unjudged.append(Unjudged.of(sighting, error))
        else:
            if text is not None:
                verdict.suspicions.append(Suspicion(sighting, text))
    return verdict


def _alerts(verdict: Verdict) -> Iterator[Alert]:
    counter = COUNTERS.get(verdict.rule.kind)
    if counter is None:
        yield from (suspicion.alert(verdict.rule) for suspicion in verdict.suspicions)
        return
    for actor, suspicions in sorted(verdict.by_actor().items()):
        try:
            yield from list(counter(verdict.rule, actor, suspicions))
        except DatabaseError:
            raise
        except Exception as error:  # concerns this actor only
            verdict.unjudged += [Unjudged.of(one.sighting, error) for one in suspicions]
