"""Rereading what could not be processed."""

import threading

import pytest

from eventbus.inbox.running.stream import Stream
from eventbus.testing.kafka import InMemoryConsumer, InMemoryKafka, Record


@pytest.fixture
def kafka() -> InMemoryKafka:
    kafka = InMemoryKafka(t=4)
    for partition in kafka.partitions("t"):
        for number in range(3):
            record = Record("t", partition.partition, number, None, b"x", [])
            kafka.logs[partition].append(record)
    return kafka


def read(stream: Stream) -> list[tuple[int, int]]:
    """All records, as partition and offset."""
    found = []
    while batches := stream.poll(timeout_ms=0, max_records=2):
        found += [(r.partition, r.offset) for records in batches.values() for r in records]
    return found


EVERYTHING = [(partition, offset) for partition in range(4) for offset in range(3)]


def member(kafka: InMemoryKafka) -> tuple[InMemoryConsumer, Stream]:
    kafka.consumer("g")
    consumer = InMemoryConsumer(kafka, kafka.groups["g"])
    stream = Stream(consumer, threading.Event())
    stream.join(["t"])
    return consumer, stream


def test_only_assigned_partitions_are_rewound(kafka: InMemoryKafka) -> None:
    consumer, stream = member(kafka)
    batches = stream.poll(timeout_ms=0, max_records=12)
    member(kafka)
    stream.poll(timeout_ms=0, max_records=0)
    stream.rewind(batches)
    mine = consumer.assignment()
    assert len(mine) == 2
    assert sorted(read(stream)) == [p for p in EVERYTHING if p[0] in {m.partition for m in mine}]
