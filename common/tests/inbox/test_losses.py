"""Retention overran the group: what was deleted unread is told once, kept, and shown."""

import threading
from contextlib import contextmanager

import pytest
import structlog
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from common.contracts.product import TOPIC
from common.tests.conftest import locked, product, written
from eventbus import outbox
from eventbus.inbox import signals
from eventbus.inbox.models import LostMessages
from eventbus.inbox.running import health, losses
from eventbus.inbox.running.processing import Processor
from eventbus.inbox.running.stream import Stream
from eventbus.inbox.running.worker import Limits, Worker
from eventbus.testing.kafka import InMemoryConsumer

pytestmark = pytest.mark.django_db

KEYS = (1, 2, 3, 5, 7)
TOLD = "Kafka deleted messages before they were read: they are lost to this service"


@pytest.fixture
def heard():
    found = []

    def receive(sender, consumer, event, place, count, **rest):
        found.append((consumer, event, place, count))

    signals.events_lost.connect(receive)
    yield found
    signals.events_lost.disconnect(receive)


@contextmanager
def logged(level="error"):
    lines = []
    with structlog.testing.capture_logs() as logs:
        yield lines
    lines += [line for line in logs if line["log_level"] == level]


def publish(bus, *versions, product_id=1):
    for version in versions:
        outbox.publish(product(product_id, version))
    bus.relay()


def place_of(bus):
    """The partition that product 1 is in."""
    return next(TopicPartition(r.topic, r.partition) for r in bus.kafka.records(TOPIC))


def test_what_retention_took_is_told_once_and_the_rest_is_handled(bus, heard):
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
    [line] = [line for line in lines if line["event"] == TOLD]
    assert (line["partition"], line["messages"]) == (f"{TOPIC}/{place.partition}", 3)
    assert (health.lost(), "3 lost" in str(tally)) == (3, True)
    with logged() as lines:
        bus.consume()
    assert (lines, len(heard)) == ([], 1)


def test_a_partition_that_is_empty_now_is_told_of_as_well(bus, heard):
    publish(bus, 1)
    bus.consume()
    publish(bus, 2, 3)
    place = place_of(bus)
    bus.kafka.delete_records({place: 3})
    assert (bus.consume().lost, len(heard)) == (2, 1)
    assert bus.kafka.groups["bus_tests"].committed[place] == 3
    assert bus.consume().lost == 0


def test_more_that_is_deleted_before_the_group_has_gone_on_is_told_as_well(bus, heard, monkeypatch):
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


def test_a_group_that_has_read_nothing_yet_has_lost_nothing(bus, heard):
    """What was deleted before a service was there is not its own."""
    publish(bus, 1, 2, 3)
    place = place_of(bus)
    bus.kafka.delete_records({place: 2})
    with logged("warning") as lines:
        bus.consume()
    assert (written(), heard, LostMessages.objects.count()) == (["1.3"], [], 0)
    [line] = [line for line in lines if "first message that is left" in line["event"]]
    assert (line["partition"], line["first"]) == (f"{TOPIC}/{place.partition}", 2)


def test_a_topic_made_anew_is_read_from_its_start(bus, heard):
    publish(bus, 1, 2, 3)
    place = place_of(bus)
    bus.consume()
    bus.kafka.logs[place].clear()
    publish(bus, 4)
    with logged() as lines:
        bus.consume()
    assert (written()[-1], heard) == ("1.4", [])
    assert any("made anew" in line["event"] for line in lines)


class Slow(InMemoryConsumer):
    """Between two polls, retention goes on."""

    overrun = None

    def poll(self, timeout_ms, max_records):
        found = super().poll(timeout_ms, 1)
        if found and self.overrun:
            self._kafka.delete_records(self.overrun)
        return found


def work(consumer, batch_size=1):
    stop = threading.Event()
    stream = Stream(consumer, stop)
    worker = Worker(stream, "bus_tests", [TOPIC], stop, batch_size, Limits(drain=True))
    worker.run()
    return worker.tally


def test_retention_that_overruns_a_worker_in_mid_run_is_told(bus, heard):
    publish(bus, 1, 2, 3, 4)
    bus.kafka.consumer("bus_tests")
    consumer = Slow(bus.kafka, bus.kafka.groups["bus_tests"])
    consumer.overrun = {place_of(bus): 3}
    assert work(consumer).lost == 2
    assert (written(), len(heard)) == (["1.1", "1.4"], 1)


def test_retention_that_overruns_a_worker_that_waits_for_its_database_is_told(bus, monkeypatch):
    publish(bus, 1, 2)
    place = place_of(bus)
    failures = [locked()]

    real = Processor.process

    def sometimes(self, messages):
        if failures:
            bus.kafka.delete_records({place: 1})
            raise failures.pop()
        return real(self, messages)

    monkeypatch.setattr(Processor, "process", sometimes)
    monkeypatch.setattr("eventbus.running.daemon.FIRST_PAUSE_SECONDS", 0)
    assert bus.consume().lost == 1
    assert written() == ["1.2"]


def test_a_database_that_is_away_delays_the_telling_and_no_event_overtakes_it(bus, monkeypatch):
    publish(bus, 1)
    bus.consume()
    publish(bus, 2, 3)
    bus.kafka.delete_records({place_of(bus): 2})
    failures = [locked(), locked()]
    seen = []
    real = losses.tell

    def tell(consumer, loss):
        if failures:
            raise failures.pop()
        seen.append(written())
        real(consumer, loss)

    monkeypatch.setattr(losses, "tell", tell)
    monkeypatch.setattr("eventbus.running.daemon.FIRST_PAUSE_SECONDS", 0)
    assert bus.consume().lost == 1
    assert seen == [["1.1"]]
    assert written() == ["1.1", "1.3"]


def test_kafka_that_is_away_when_the_first_offset_is_asked_for_is_waited_for(bus, monkeypatch):
    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0)
    publish(bus, 1)
    bus.consume()
    publish(bus, 2, 3)
    bus.kafka.delete_records({place_of(bus): 2})
    bus.kafka.consumer("bus_tests")
    consumer = InMemoryConsumer(bus.kafka, bus.kafka.groups["bus_tests"])
    failures = [KafkaTimeoutError("busy")]
    real = consumer.beginning_offsets

    def beginning_offsets(partitions):
        if failures:
            raise failures.pop()
        return real(partitions)

    consumer.beginning_offsets = beginning_offsets
    assert work(consumer).lost == 1


def test_it_is_shown_in_the_admin_and_by_the_health_page():
    LostMessages.objects.create(consumer="g", topic="t", partition=1, first=10, last=19)
    assert health.lost() == 10
