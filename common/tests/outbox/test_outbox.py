"""Publishing in the caller's transaction, and the relay that follows the commit."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import structlog
from django.db import transaction
from django.db.utils import OperationalError
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from common.contracts.product import TOPIC
from common.tests.conftest import product
from eventbus import outbox
from eventbus.events import ContractViolation, EventTooLarge
from eventbus.events.context import Context, use
from eventbus.kafka.clients import Future
from eventbus.kafka.connecting import KafkaUnavailable
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.publishing import NoTransaction
from eventbus.outbox.relaying.relay import Relay
from eventbus.testing.bus import Bus, CallersThread, active_session
from eventbus.testing.kafka import InMemoryFuture, InMemoryKafka, InMemoryProducer

pytestmark = pytest.mark.django_db


def sent(kafka: InMemoryKafka) -> list[str]:
    """The keys stored in Kafka, in offset order within each partition."""
    return [(record.key or b"").decode() for record in kafka.records(TOPIC)]


def waiting() -> int:
    return OutboxEvent.objects.filter(published_at__isnull=True).count()


def relay_waiting(relay: Relay) -> int:
    with active_session() as session:
        return relay.relay_waiting(session)


def test_a_rollback_takes_the_event_back() -> None:
    with transaction.atomic():
        outbox.publish(product())
        transaction.set_rollback(True)
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_refused() -> None:
    with pytest.raises(NoTransaction, match="atomic"):
        outbox.publish(product())
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"stock": -1}, "stock"), ({"currency": "euro"}, "currency"), ({"name": None}, "name")],
)
def test_what_breaks_the_contract_is_refused_and_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ContractViolation, match=rf"product\.created: .*\$\.{named}"):
        outbox.publish(product(**changes))
    assert not OutboxEvent.objects.exists()


def test_what_kafka_would_not_accept_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        outbox.publish(product(description="x" * 1_000_000))
    assert not OutboxEvent.objects.exists()


def test_the_event_records_its_origin() -> None:
    with use(Context("request-1", lambda: "eve", causation_id="event-0", traceparent="00-a-b-01")):
        outbox.publish(product())
    payload = OutboxEvent.objects.get().payload
    for part in (
        '"correlationid":"request-1"',
        '"actor":"eve"',
        '"causationid":"event-0"',
        '"traceparent":"00-a-b-01"',
    ):
        assert part in payload


def test_the_relay_sends_in_order_and_marks_what_kafka_took(bus: Bus) -> None:
    for version in range(1, 6):
        outbox.publish(product(7, version))
    assert bus.relay() == 5
    assert waiting() == 0
    assert bus.relay() == 0
    values = [(record.value or b"").decode() for record in bus.kafka.records(TOPIC)]
    assert values == [row.payload for row in OutboxEvent.objects.all()]


def test_without_kafka_nothing_is_marked_and_nothing_lost(bus: Bus) -> None:
    outbox.publish(product())
    bus.kafka.stop()
    with pytest.raises(KafkaUnavailable):
        bus.relay()
    assert waiting() == 1
    bus.kafka.start()
    assert bus.relay() == 1
    assert sent(bus.kafka) == ["1"]


class Refusing(InMemoryProducer):
    """Accepts messages up to the event of one key, and rejects that one."""

    refused = b"2"

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> Future:
        if key != self.refused:
            return super().send(topic, value, key, headers)
        future = InMemoryFuture(self._kafka)
        future.done, future.error = True, KafkaConnectionError("refused")
        return future


def test_a_refused_event_is_sent_again_and_none_overtakes_it(bus: Bus) -> None:
    for product_id in (1, 2, 3):
        outbox.publish(product(product_id))
    relay = Relay(lambda: Refusing(bus.kafka), CallersThread(), threading.Event())
    with pytest.raises(KafkaUnavailable, match=r"refused.*product\.created 2"):
        relay_waiting(relay)
    marked = OutboxEvent.objects.filter(published_at__isnull=False)
    assert list(marked.values_list("aggregateid", flat=True)) == ["1"]
    assert bus.relay() == 2


class Scripted(InMemoryProducer):
    """Runs the test's script instead of waiting for acknowledgements."""

    def __init__(self, kafka: InMemoryKafka, on_flush: Callable[[], None]) -> None:
        super().__init__(kafka)
        self._on_flush = on_flush

    def flush(self, timeout: float | None = None) -> None:
        self._on_flush()
        super().flush(timeout=0)


def test_an_outage_is_logged_once_however_long_it_lasts(bus: Bus) -> None:
    outbox.publish(product())
    stop = threading.Event()
    rounds = iter(range(3))

    def still_away() -> None:
        if next(rounds, None) is None:
            stop.set()

    relay = Relay(lambda: Scripted(bus.kafka, still_away), CallersThread(), stop)
    bus.kafka.stop()
    with structlog.testing.capture_logs() as logs, pytest.raises(KafkaUnavailable):
        relay_waiting(relay)
    assert [line["event"] for line in logs] == ["waiting for Kafka"]
    assert waiting() == 1


def test_a_running_relay_logs_when_an_outage_begins_and_when_it_ends(bus, monkeypatch):
    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0)
    outbox.publish(product())
    stop = threading.Event()
    failures = [OperationalError("away")] * 3 + [KafkaUnavailable("away")] * 3

    def connect() -> Scripted:
        if failures:
            raise failures.pop(0)
        return Scripted(bus.kafka, stop.set)

    with structlog.testing.capture_logs() as logs:
        Relay(connect, CallersThread(), stop).run()
    said = [(line["event"], line.get("waited_for")) for line in logs]
    assert said == [
        ("waiting for the database", None),
        ("waiting for Kafka", None),
        ("going on", "the database"),
        ("relayed", None),
        ("going on", "Kafka"),
    ]
    assert (sent(bus.kafka), waiting()) == (["1"], 0)


def test_what_was_sent_before_an_unsendable_event_is_marked(bus: Bus) -> None:
    for product_id in (1, 2, 3):
        outbox.publish(product(product_id))
    OutboxEvent.objects.filter(aggregateid="2").update(topic="nowhere")
    with pytest.raises(KafkaUnavailable, match=r"nowhere.*product\.created 2"):
        bus.relay()
    with pytest.raises(KafkaUnavailable, match=r"nowhere.*product\.created 2"):
        bus.relay()
    assert sent(bus.kafka) == ["1"]
    assert waiting() == 2


def test_a_missing_topic_is_an_outage_not_a_loss(bus: Bus) -> None:
    outbox.publish(product())
    bus.kafka.logs.clear()
    with pytest.raises(KafkaUnavailable, match=TOPIC):
        bus.relay()
    with pytest.raises(KafkaTimeoutError):
        bus.kafka.producer().send("nowhere", b"")
    assert waiting() == 1
