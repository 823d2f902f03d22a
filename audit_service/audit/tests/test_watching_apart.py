"""Recording does not depend on watching, which may happen later, on its own and in any order."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from audit_service.audit import handlers
from audit_service.audit.handlers import record, watch
from audit_service.audit.models import Alert, AuditEntry, Rule
from audit_service.audit.security import raise_alerts
from audit_service.audit.tests.made import deletions, made, price
from audit_service.audit.tests.test_keeping import undone
from eventbus.events import Event
from eventbus.inbox.taking.subscriptions import subscriptions
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db


def test_an_error_while_watching_does_not_prevent_recording(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error concerns one handler and one event. The retry raises its alert."""
    real = raise_alerts

    def fail_for_the_first(events: list[Event[Any]]) -> None:
        if any(event.id == "1" for event in events):
            raise RuntimeError("this rule is broken")
        real(events)

    monkeypatch.setattr(handlers, "raise_alerts", fail_for_the_first)
    for number in (1, 2, 3):
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(number),
            "source": "/shop",
            "subject": "1",
        }
        event |= {"type": "product.updated", "data": price("1.00", "9.00")}
        bus.send("product.events", json.dumps(event).encode(), key=b"1")
    bus.consume()
    assert set(AuditEntry.objects.values_list("event_id", flat=True)) == {"1", "2", "3"}
    monkeypatch.setattr(handlers, "raise_alerts", real)
    bus.travel(minutes=10)
    assert AuditEntry.objects.count() == 3
    alerts = Alert.objects.filter(rule__kind="change").values_list("event_id", flat=True)
    assert sorted(alerts) == ["1", "2", "3"]


def test_recording_comes_first() -> None:
    """Rules count recorded entries, so an event must be recorded before it is watched."""
    handlers_ = [one.handler for one in subscriptions]
    assert handlers_.index(record) < handlers_.index(watch)


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_alerts_do_not_depend_on_the_order_of_watching(data: DataObject) -> None:
    """In any order and batches, as long as each event was recorded before."""
    with undone():
        Rule.objects.update(is_active=True)
        Rule.objects.filter(kind="deletions").update(threshold=3, window_minutes=10)
        Rule.objects.filter(kind="hours").update(until_hour=11, window_minutes=10)
        events = [*deletions((0, 4, 9, 200)), made(minutes=3, data=price(10, 90))]
        waiting = data.draw(st.permutations(events))
        recorded: list[Event[Any]] = []
        while waiting or recorded:
            if waiting and (not recorded or data.draw(st.booleans())):
                record([waiting[0]])
                recorded.append(waiting.pop(0))
            else:
                count = data.draw(st.integers(1, len(recorded)))
                chosen = data.draw(st.permutations(recorded))
                watch(chosen[:count])
                recorded = chosen[count:]
        kinds = Counter(Alert.objects.values_list("rule__kind", flat=True))
        assert kinds["deletions"] == kinds["change"] == kinds["new_actor"] == 1
        hours = Alert.objects.filter(rule__kind="hours").order_by("at")
        assert list(hours)[-1].at == events[3].time
        assert hours.count() == 2  # all others are within ten minutes


def test_old_entries_are_judged_like_new_ones() -> None:
    Rule.objects.filter(kind="deletions").update(threshold=3, window_minutes=10)
    first, second = deletions((0, 1, 2)), deletions((3000, 3001, 3002))
    record(first)
    record(second)
    watch(second)
    watch(first)
    alerts = Alert.objects.filter(rule__kind="deletions").order_by("at")
    assert [alert.at for alert in alerts] == [first[2].time, second[2].time]
