"""The worker's lifecycle: what it survives, and what ends it."""

import threading

import pytest
import structlog
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from common.contracts.product import TOPIC
from common.tests.app.models import Written
from common.tests.conftest import locked, product, written
from eventbus import outbox
from eventbus.inbox.models import WorkerState
from eventbus.inbox.running.heartbeat import shown_partitions
from eventbus.inbox.running.stream import Stream
from eventbus.inbox.running.worker import Limits, Worker
from eventbus.testing.bus import Bus
from eventbus.testing.kafka import InMemoryConsumer, InMemoryKafka, Record

pytestmark = pytest.mark.django_db


AWAY = "waiting for the database"


class Failing(InMemoryConsumer):
    """Raises these errors, one per poll, before it works; it cannot even leave the group."""

    def __init__(self, kafka: InMemoryKafka, errors: list[KafkaError]) -> None:
        kafka.consumer("bus_tests")
        super().__init__(kafka, kafka.groups["bus_tests"])
        self._errors = list(errors)

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        if self._errors:
            raise self._errors.pop(0)
        return super().poll(timeout_ms, max_records)

    def close(self, *, timeout_ms: int = 0) -> None:
        raise KafkaConnectionError("gone")


def work(consumer: InMemoryConsumer) -> None:
    stop = threading.Event()
    Worker(Stream(consumer, stop), "bus_tests", [TOPIC], stop, limits=Limits(drain=True)).run()


def test_it_survives_an_outage_and_logs_it_once(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0)
    outbox.publish(product())
    bus.relay()
    consumer = Failing(bus.kafka, [KafkaConnectionError("refused")] * 5)
    with structlog.testing.capture_logs() as logs:
        work(consumer)
    assert written() == ["1.1"]
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    assert warnings == ["waiting for Kafka", "could not leave the group"]


def test_it_outlives_a_database_that_is_away_and_says_so_once(bus, monkeypatch):
    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0)
    failures = [locked() for _ in range(5)]
    create = Written.objects.create

    def fail_at_first(**values):
        if failures:
            raise failures.pop()
        return create(**values)

    monkeypatch.setattr(Written.objects, "create", fail_at_first)
    outbox.publish(product())
    with structlog.testing.capture_logs() as logs:
        bus.run()
    assert written() == ["1.1"]
    said = [line["event"] for line in logs if line["event"] in (AWAY, "going on")]
    assert said == [AWAY, "going on"]


def test_it_ends_when_kafka_refuses_it_for_good(bus: Bus) -> None:
    consumer = Failing(bus.kafka, [TopicAuthorizationFailedError(TOPIC)])
    with pytest.raises(TopicAuthorizationFailedError):
        work(consumer)
    assert not WorkerState.objects.exists()


def test_it_shows_its_partitions_while_it_lives(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def look(**values: object) -> None:
        shown.append(list(WorkerState.objects.values_list("partitions", flat=True)))

    monkeypatch.setattr(Written.objects, "create", look)
    for version in (1, 2):
        outbox.publish(product(1, version))
    bus.relay()
    bus.consume(batch_size=1)
    assert shown == [[[f"{TOPIC}/{number}" for number in range(3)]]] * 2
    assert not WorkerState.objects.exists()


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [([], "none"), ([3], "t 3"), ([0, 1, 2], "t 0-2"), ([5, 1, 2, 4, 8], "t 1-2, 4-5, 8")],
)
def test_partitions_are_shown_as_ranges(numbers: list[int], shown: str) -> None:
    assert shown_partitions([f"t/{number}" for number in numbers]) == shown
