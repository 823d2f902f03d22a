"""Reading while the database is away: nothing is read, nothing is lost, the group is kept."""

import threading

import pytest

from common.inbox.stream import Stream
from common.testing.kafka import InMemoryConsumer, InMemoryKafka, Record


@pytest.fixture
def kafka():
    kafka = InMemoryKafka(t=4)
    for partition in kafka.partitions("t"):
        for number in range(3):
            record = Record("t", partition.partition, number, None, b"x", [])
            kafka.logs[partition].append(record)
    return kafka


def read(stream):
    """All that comes, as partition and offset."""
    found = []
    while batches := stream.poll(timeout_ms=0, max_records=2):
        found += [(r.partition, r.offset) for records in batches.values() for r in records]
    return found


EVERYTHING = [(partition, offset) for partition in range(4) for offset in range(3)]


class Watched(InMemoryConsumer):
    """Counts its polls, and lets something happen before the second."""

    polls = 0
    meanwhile = staticmethod(lambda: None)

    def poll(self, timeout_ms, max_records):
        self.polls += 1
        if self.polls == 2:
            self.meanwhile()
        return super().poll(min(timeout_ms, 5), max_records)


def member(kafka):
    kafka.consumer("g")
    consumer = Watched(kafka, kafka.groups["g"])
    stream = Stream(consumer, threading.Event())
    stream.join(["t"])
    return consumer, stream


def test_it_polls_while_it_waits_and_reads_everything_afterwards(kafka):
    consumer, stream = member(kafka)
    stream.idle(0.05)
    assert consumer.polls >= 3
    assert not consumer.paused()
    assert sorted(read(stream)) == EVERYTHING


def test_partitions_that_come_while_it_waits_lose_nothing(kafka):
    other, _ = member(kafka)
    consumer, stream = member(kafka)
    assert len(consumer.assignment()) == 2
    consumer.meanwhile = other.close
    stream.idle(0.05)
    assert len(consumer.assignment()) == 4
    assert sorted(read(stream)) == EVERYTHING


def test_what_is_rewound_comes_again_as_far_as_it_is_still_ours(kafka):
    consumer, stream = member(kafka)
    batches = stream.poll(timeout_ms=0, max_records=12)
    member(kafka)
    stream.poll(timeout_ms=0, max_records=0)
    stream.rewind(batches)
    mine = consumer.assignment()
    assert len(mine) == 2
    assert sorted(read(stream)) == [p for p in EVERYTHING if p[0] in {m.partition for m in mine}]


def test_told_to_stop_it_waits_no_longer(kafka):
    stop = threading.Event()
    stop.set()
    consumer, _ = member(kafka)
    Stream(consumer, stop).idle(3600)
    assert consumer.polls == 0
