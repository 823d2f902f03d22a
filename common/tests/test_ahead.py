"""Reading ahead: one batch, no more; offsets follow the database; the group is kept meanwhile."""

import threading
from collections.abc import Iterator

import pytest
from kafka import TopicPartition
from kafka.errors import TopicAuthorizationFailedError

from common.inbox import ahead
from common.inbox.ahead import ReadAhead
from common.inbox.stream import Stream
from common.testing.eventually import eventually
from common.testing.kafka import InMemoryConsumer, InMemoryKafka, Record

ONLY = TopicPartition("t", 0)


class Observed(InMemoryConsumer):
    """Notes in which threads it is used, and how often it was polled."""

    def __init__(self, kafka, group):
        super().__init__(kafka, group)
        self.threads = set()
        self.polls = 0
        self.error = None

    def poll(self, timeout_ms, max_records):
        self.threads.add(threading.current_thread().name)
        self.polls += 1
        if self.error:
            raise self.error
        return super().poll(timeout_ms, max_records)

    def commit(self, offsets):
        self.threads.add(threading.current_thread().name)
        super().commit(offsets)


@pytest.fixture
def kafka():
    kafka = InMemoryKafka(t=1)
    fill(kafka, 10)
    return kafka


@pytest.fixture
def consumer(kafka):
    kafka.consumer("g")
    return Observed(kafka, kafka.groups["g"])


@pytest.fixture
def source(consumer) -> Iterator[ReadAhead]:
    stop = threading.Event()
    source = ReadAhead(Stream(consumer, stop), 3, stop)
    source.join(["t"])
    yield source
    source.leave()


def fill(kafka, events):
    log = kafka.logs[ONLY]
    log += [Record("t", 0, len(log) + n, None, b"x", []) for n in range(events)]


def offsets(batches):
    return [record.offset for records in batches.values() for record in records]


def test_batches_come_in_order_and_only_one_is_read_ahead(source, consumer):
    assert offsets(source.poll(5_000, 3)) == [0, 1, 2]
    eventually(lambda: consumer.position(ONLY) == 6)
    assert offsets(source.poll(5_000, 3)) == [3, 4, 5]
    assert offsets(source.poll(5_000, 3)) == [6, 7, 8]
    assert not source.caught_up()
    assert offsets(source.poll(5_000, 3)) == [9]
    assert source.poll(0, 3) == {}
    eventually(source.caught_up)
    assert consumer.threads == {"read-ahead"}


def test_only_what_is_done_is_committed(source, consumer, kafka):
    first = source.poll(5_000, 3)
    second = source.poll(5_000, 3)
    assert not kafka.groups["g"].committed
    source.commit(first)
    eventually(lambda: kafka.groups["g"].committed == {ONLY: 3})
    source.commit(second)
    source.leave()
    assert kafka.groups["g"].committed == {ONLY: 6}
    assert consumer not in kafka.groups["g"].members


def test_what_is_rewound_comes_first(source):
    first = source.poll(5_000, 3)
    source.rewind(first)
    assert not source.caught_up()
    assert offsets(source.poll(5_000, 3)) == [0, 1, 2]
    assert offsets(source.poll(5_000, 3)) == [3, 4, 5]


def test_it_keeps_polling_while_the_worker_works(source, consumer, monkeypatch):
    monkeypatch.setattr(ahead, "STAY_SECONDS", 0.01)
    source.poll(5_000, 3)
    before = consumer.polls
    eventually(lambda: consumer.polls > before + 5)
    assert consumer.position(ONLY) == 6
    assert offsets(source.poll(5_000, 3)) == [3, 4, 5]
    assert offsets(source.poll(5_000, 3)) == [6, 7, 8]


def test_what_ends_the_reading_ends_the_worker(source, consumer):
    source.poll(5_000, 3)
    eventually(lambda: consumer.position(ONLY) == 6)
    consumer.error = TopicAuthorizationFailedError("t")
    source.poll(5_000, 3)
    with pytest.raises(TopicAuthorizationFailedError):
        source.poll(5_000, 3)


def test_it_tells_how_far_it_is(source, consumer):
    source.poll(5_000, 3)
    eventually(lambda: source.lag() == 4)
    assert source.assignment() == {ONLY}
