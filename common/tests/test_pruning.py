"""What inbox and outbox forget, and when."""

from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.utils import timezone

from common.tests.conftest import Settings, product
from eventbus import outbox
from eventbus.inbox.models import InboxMessage
from eventbus.inbox.running.pruning import inbox_pruner
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.relaying.pruning import outbox_pruner
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db(databases=["default", "bus"])


def remember(number: int, days: float, consumer: str = "bus_tests") -> None:
    row = InboxMessage.objects.create(consumer=consumer, event_id=str(number), source="/x")
    same = InboxMessage.objects.filter(consumer=consumer, event_id=row.event_id)
    same.update(received_at=timezone.now() - timedelta(days=days))


def remembered() -> list[str]:
    return sorted(InboxMessage.objects.values_list("event_id", flat=True), key=int)


def test_old_rows_are_deleted_in_batches_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.database.pruning.PIECE", 2)
    for number, days in enumerate([13.9, 15, 16, 17, 18, 19]):
        remember(number, days)
    pruner = inbox_pruner("bus_tests")
    pruner.prune()
    assert remembered() == ["0", "1", "2", "3"]
    pruner.prune()
    pruner.prune()
    assert remembered() == ["0"]


def test_it_waits_when_there_is_no_more(settings: Settings) -> None:
    pruner = inbox_pruner("bus_tests")
    pruner.prune()
    remember(1, 15)
    pruner.prune()
    assert remembered() == ["1"]


def test_rows_of_other_consumers_are_not_pruned() -> None:
    remember(1, 15, consumer="other")
    inbox_pruner("bus_tests").prune()
    assert remembered() == ["1"]


def test_a_retention_of_zero_forgets_nothing(settings: Settings) -> None:
    settings.EVENTBUS = {**settings.EVENTBUS, "INBOX_RETENTION_DAYS": 0}
    remember(1, 10_000)
    inbox_pruner("bus_tests").prune()
    assert remembered() == ["1"]


def test_the_worker_prunes_while_it_works(bus: Bus) -> None:
    remember(1, 15)
    outbox.publish(product())
    bus.run()
    assert InboxMessage.objects.count() == 1
    assert not InboxMessage.objects.filter(event_id="1").exists()


@pytest.mark.parametrize(
    ("days", "topic_days", "errors"),
    [
        (14, 7, []),
        (7, 7, ["eventbus_inbox.E001"]),
        (14, -1, ["eventbus_inbox.E001"]),
        (0, -1, []),
        (0, 7, []),
    ],
)
def test_an_inbox_that_forgets_before_kafka_does_is_refused(
    settings: Settings, days: int, topic_days: int, errors: list[str]
) -> None:
    topic_ms = topic_days * 24 * 3600 * 1000 if topic_days > 0 else -1
    retention = {"INBOX_RETENTION_DAYS": days, "TOPIC_RETENTION_MS": topic_ms}
    settings.EVENTBUS = {**settings.EVENTBUS, **retention}
    found = [message.id for message in run_checks() if (message.id or "").startswith("eventbus")]
    assert found == errors


def relayed(number: int, days: float | None) -> None:
    """An event that was relayed this many days ago, or is waiting."""
    outbox.publish(product(number))
    sent = None if days is None else timezone.now() - timedelta(days=days)
    OutboxEvent.objects.filter(aggregateid=number).update(published_at=sent)


def in_the_outbox() -> list[str]:
    return list(OutboxEvent.objects.values_list("aggregateid", flat=True))


def test_the_outbox_forgets_what_was_relayed_long_ago_and_nothing_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventbus.database.pruning.PIECE", 3)
    for number, days in enumerate([40, None, 35, 31, 29, 33]):
        relayed(number, days)
    pruner = outbox_pruner()
    pruner.prune()
    assert in_the_outbox() == ["1", "3", "4", "5"]
    outbox_pruner().prune()
    assert in_the_outbox() == ["1", "4", "5"]  # the last is behind one that stays


def test_an_outbox_that_keeps_all_forgets_nothing(settings: Settings) -> None:
    settings.EVENTBUS = {**settings.EVENTBUS, "OUTBOX_RETENTION_DAYS": 0}
    relayed(1, 10_000)
    outbox_pruner().prune()
    assert in_the_outbox() == ["1"]
