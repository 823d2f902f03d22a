"""Retention overtakes the group: unread deletions are reported once, recorded, and shown."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from common.contracts.product import TOPIC
from common.tests.conftest import locked, product, written
from eventbus import outbox
from eventbus.events import Place
from eventbus.inbox import signals
from eventbus.inbox.models import LostMessages
from eventbus.inbox.running import health, losses
from eventbus.inbox.running.processing import Processor
from eventbus.inbox.running.stream import Loss, Stream
from eventbus.inbox.running.tally import Tally
from eventbus.inbox.running.worker import Limits, Worker
from eventbus.inbox.taking.message import Message
from eventbus.testing.bus import Bus
from eventbus.testing.kafka import InMemoryConsumer, Record

pytestmark = pytest.mark.django_db

KEYS = (1, 2, 3, 5, 7)
REPORT = "Kafka deleted messages before they were read: this service has lost them"


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    found = []

    def receive(
        sender: type[Message],
        consumer: str,
        event: None,
        place: Place,
        count: int,
        **rest: object,
    ) -> None:
        found.append((consumer, event, place, count))

    signals.events_lost.connect(receive)
    yield found
    signals.events_lost.disconnect(receive)


@contextmanager
def logged(level: str = "error") -> Iterator[list[Any]]:
    lines: list[Any] = []
    with structlog.testing.capture_logs() as logs:
        yield lines
    lines += [line for line in logs if line["log_level"] == level]


def publish(bus: Bus, *versions: int, product_id: int = 1) -> None:
    for version in versions:
        outbox.publish(product(product_id, version))
    bus.relay()


def place_of(bus: Bus) -> TopicPartition:
    """The partition of product 1."""
    return next(TopicPartition(r.topic, r.partition) for r in bus.kafka.records(TOPIC))


def test_a_loss_is_reported_once_and_the_rest_is_handled(bus: Bus, heard: list[Any]) -> None:
    publish(bus, 1, 2)
    bus.consume()
    publish(bus, 3, 4, 5, 6)
    place = place_of(bus)
    bus.kafka.delete_records({place: 5})
    with logged() as lines:
        tally = bus.consume()
    assert written() == ["1.1", "1.2", "1.6"]
    assert (tally.handled, tally.lost) == (1, 3)
    [row] = LostMessages.objects.all()
    assert (row.topic, row.partition, row.first, row.last, row.count) == (*place, 2, 4, 3)
    assert heard == [("bus_tests", None, (*place, 2), 3)]
    [line] = [line for line in lines if line["event"] == REPORT]
    assert (line["partition"], line["messages"]) == (f"{TOPIC}/{place.partition}", 3)
    assert (health.lost(), "3 lost" in str(tally)) == (3, True)
    with logged() as lines:
        bus.consume()
    assert (lines, len(heard)) == ([], 1)


def test_an_emptied_partition_is_reported_too(bus: Bus, heard: list[Any]) -> None:
    publish(bus, 1)
    bus.consume()
    publish(bus, 2, 3)
    place = place_of(bus)
    bus.kafka.delete_records({place: 3})
    assert (bus.consume().lost, len(heard)) == (2, 1)
    assert bus.kafka.groups["bus_tests"].committed[place] == 3
    assert bus.consume().lost == 0


def test_further_deletions_before_the_group_resumes_are_reported_too(
    bus: Bus, heard: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(bus, 1)
    bus.consume()
    publish(bus, 2, 3, 4)
    place = place_of(bus)
    for begin in (2, 2, 4):
        bus.kafka.delete_records({place: begin})
        bus.kafka.groups["bus_tests"].committed[place] = 1  # as if the commit had failed
        bus.consume()
    [row] = LostMessages.objects.all()
    assert (row.first, row.last) == (1, 3)
    assert [count for *_, count in heard] == [1, 3]


def test_a_group_that_has_read_nothing_yet_has_lost_nothing(bus: Bus, heard: list[Any]) -> None:
    """Messages deleted before a service existed are no loss to it."""
    publish(bus, 1, 2, 3)
    place = place_of(bus)
    bus.kafka.delete_records({place: 2})
    with logged("warning") as lines:
        bus.consume()
    assert (written(), heard, LostMessages.objects.count()) == (["1.3"], [], 0)
    [line] = [line for line in lines if "first remaining message" in line["event"]]
    assert (line["partition"], line["first"]) == (f"{TOPIC}/{place.partition}", 2)


def test_a_recreated_topic_is_read_from_its_start(bus: Bus, heard: list[Any]) -> None:
    publish(bus, 1, 2, 3)
    place = place_of(bus)
    bus.consume()
    bus.kafka.logs[place].clear()
    publish(bus, 4)
    with logged() as lines:
        bus.consume()
    assert (written()[-1], heard) == ("1.4", [])
    assert any("recreated" in line["event"] for line in lines)


class Slow(InMemoryConsumer):
    """Retention deletes messages between two polls."""

    overrun: dict[TopicPartition, int] | None = None

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        found = super().poll(timeout_ms, 1)
        if found and self.overrun:
            self._kafka.delete_records(self.overrun)
        return found


def work(consumer: InMemoryConsumer, batch_size: int = 1) -> Tally:
    stop = threading.Event()
    stream = Stream(consumer, stop)
    worker = Worker(stream, "bus_tests", [TOPIC], stop, batch_size, Limits(drain=True))
    worker.run()
    return worker.tally


def test_losses_of_a_running_worker_are_reported(bus: Bus, heard: list[Any]) -> None:
    publish(bus, 1, 2, 3, 4)
    bus.kafka.consumer("bus_tests")
    consumer = Slow(bus.kafka, bus.kafka.groups["bus_tests"])
    consumer.overrun = {place_of(bus): 3}
    assert work(consumer).lost == 2
    assert (written(), len(heard)) == (["1.1", "1.4"], 1)


def test_losses_of_a_worker_waiting_for_its_database_are_reported(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(bus, 1, 2)
    place = place_of(bus)
    failures = [locked()]

    real = Processor.process

    def sometimes(self: Processor, messages: list[Message]) -> Any:
        if failures:
            bus.kafka.delete_records({place: 1})
            raise failures.pop()
        return real(self, messages)

    monkeypatch.setattr(Processor, "process", sometimes)
    monkeypatch.setattr("eventbus.running.daemon.FIRST_PAUSE_SECONDS", 0)
    assert bus.consume().lost == 1
    assert written() == ["1.2"]


def test_a_database_outage_delays_the_report_and_no_event_overtakes_it(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(bus, 1)
    bus.consume()
    publish(bus, 2, 3)
    bus.kafka.delete_records({place_of(bus): 2})
    failures = [locked(), locked()]
    seen = []
    real = losses.report

    def report(consumer: str, loss: Loss) -> None:
        if failures:
            raise failures.pop()
        seen.append(written())
        real(consumer, loss)

    monkeypatch.setattr(losses, "report", report)
    monkeypatch.setattr("eventbus.running.daemon.FIRST_PAUSE_SECONDS", 0)
    assert bus.consume().lost == 1
    assert seen == [["1.1"]]
    assert written() == ["1.1", "1.3"]


def test_a_kafka_outage_while_finding_the_first_offset_is_waited_out(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0)
    publish(bus, 1)
    bus.consume()
    publish(bus, 2, 3)
    bus.kafka.delete_records({place_of(bus): 2})
    bus.kafka.consumer("bus_tests")
    consumer = InMemoryConsumer(bus.kafka, bus.kafka.groups["bus_tests"])
    failures = [KafkaTimeoutError("busy")]
    real = consumer.beginning_offsets

    def beginning_offsets(partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if failures:
            raise failures.pop()
        return real(partitions)

    monkeypatch.setattr(consumer, "beginning_offsets", beginning_offsets)
    assert work(consumer).lost == 1


def test_it_is_shown_in_the_admin_and_by_the_health_page() -> None:
    LostMessages.objects.create(consumer="g", topic="t", partition=1, first=10, last=19)
    assert health.lost() == 10
