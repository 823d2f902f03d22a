"""An in-memory Kafka with the producer and consumer protocols of ``eventbus.kafka.clients``.

The same tests run against it and against a real broker, so that its behaviour stays faithful.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.partitioner.default import murmur2

from eventbus.kafka.clients import Future
from eventbus.kafka.connecting import KafkaUnavailable


class Record(NamedTuple):
    """A stored message, with the attributes of kafka-python's ConsumerRecord that are used."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass
class Group:
    """A consumer group. Each join or leave starts a new generation."""

    members: list["InMemoryConsumer"] = field(default_factory=list)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    generation: int = 0


class InMemoryKafka:
    """A broker in memory.

    :param topics: initial topics by name, with their numbers of partitions.
    """

    def __init__(self, **topics: int) -> None:
        self.logs: dict[TopicPartition, list[Record]] = {}
        self.begins: dict[TopicPartition, int] = {}
        self.groups: dict[str, Group] = {}
        self.up = True
        self.changed = threading.Condition()
        for name, partitions in topics.items():
            self.create_topic(name, partitions)

    def create_topic(self, name: str, partitions: int = 1) -> None:
        for number in range(partitions):
            self.logs.setdefault(TopicPartition(name, number), [])
            self.begins.setdefault(TopicPartition(name, number), 0)

    def partitions(self, topic: str) -> list[TopicPartition]:
        return sorted(partition for partition in self.logs if partition.topic == topic)

    def records(self, topic: str) -> list[Record]:
        """All stored messages, partition by partition."""
        return [r for p in self.partitions(topic) for r in self.logs[p][self.begins[p] :]]

    def delete_records(self, offsets: dict[TopicPartition, int]) -> None:
        """Delete the messages before these offsets, as retention does."""
        with self.changed:
            for partition, offset in offsets.items():
                self.begins[partition] = max(self.begins[partition], offset)

    def stop(self) -> None:
        """Become unavailable until :meth:`start`; stored messages remain."""
        with self.changed:
            self.up = False
            self.changed.notify_all()

    def start(self) -> None:
        with self.changed:
            self.up = True
            self.changed.notify_all()

    def forget_offsets(self, group: str) -> None:
        """Redeliver everything, as after a crash between the commits to database and Kafka."""
        self.groups[group].committed.clear()

    def producer(self) -> "InMemoryProducer":
        """:raises KafkaUnavailable: while stopped."""
        self._refuse_when_down()
        return InMemoryProducer(self)

    def consumer(self, group: str) -> "InMemoryConsumer":
        """:raises KafkaUnavailable: while stopped."""
        self._refuse_when_down()
        return InMemoryConsumer(self, self.groups.setdefault(group, Group()))

    def _refuse_when_down(self) -> None:
        if not self.up:
            raise KafkaUnavailable("the in-memory Kafka is stopped")


class InMemoryFuture:
    """The acknowledgement of one message, given once it is stored."""

    def __init__(self, kafka: InMemoryKafka) -> None:
        self._kafka = kafka
        self.error: KafkaError | None = None
        self.done = False

    def get(self, timeout: float | None = None) -> None:
        with self._kafka.changed:
            if not self._kafka.changed.wait_for(lambda: self.done, timeout):
                raise KafkaTimeoutError("no acknowledgement in time")
        if self.error is not None:
            raise self.error


class InMemoryProducer:
    """Stores messages immediately while the broker is up, and queues them while it is down."""

    def __init__(self, kafka: InMemoryKafka) -> None:
        self._kafka = kafka
        self._waiting: list[tuple[Record, InMemoryFuture]] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> Future:
        partitions = self._kafka.partitions(topic)
        if not partitions:
            raise KafkaTimeoutError(f"no topic {topic}")
        number = (murmur2(key) & 0x7FFFFFFF) % len(partitions) if key is not None else 0
        future = InMemoryFuture(self._kafka)
        record = Record(topic, number, -1, key, value, list(headers))
        with self._kafka.changed:
            self._waiting.append((record, future))
            self._store()
        return future

    def flush(self, timeout: float | None = None) -> None:
        with self._kafka.changed:
            if not self._kafka.changed.wait_for(self._store, timeout):
                raise KafkaTimeoutError("not everything was acknowledged in time")

    def close(self, timeout: float | None = None) -> None:
        with self._kafka.changed:
            for _, future in self._waiting:
                future.error, future.done = KafkaConnectionError("the producer was closed"), True
            self._waiting.clear()

    def _store(self) -> bool:
        if self._kafka.up:
            for record, future in self._waiting:
                log = self._kafka.logs[TopicPartition(record.topic, record.partition)]
                log.append(record._replace(offset=len(log)))
                future.done = True
            self._waiting.clear()
            self._kafka.changed.notify_all()
        return not self._waiting


class InMemoryConsumer:
    """A group member; the members share the partitions evenly."""

    def __init__(self, kafka: InMemoryKafka, group: Group) -> None:
        self._kafka = kafka
        self._group = group
        self._topics: list[str] = []
        self._generation = -1
        self._positions: dict[TopicPartition, int | None] = {}

    def subscribe(self, topics: list[str]) -> None:
        self._topics = list(topics)
        with self._kafka.changed:
            self._group.members.append(self)
            self._group.generation += 1
            self._join()

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        deadline = time.monotonic() + timeout_ms / 1000
        with self._kafka.changed:
            while True:
                self._join()
                records = self._take(max_records) if self._kafka.up else {}
                left = deadline - time.monotonic()
                if records or left <= 0:
                    return records
                self._kafka.changed.wait(left)

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        with self._kafka.changed:
            if not self._kafka.up:
                raise KafkaTimeoutError("no broker to commit to")
            if self._generation != self._group.generation:
                raise CommitFailedError
            for partition, end in offsets.items():
                self._group.committed[partition] = end.offset

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def position(self, partition: TopicPartition) -> int | None:
        return self._positions[partition]

    def highwater(self, partition: TopicPartition) -> int | None:
        return len(self._kafka.logs[partition])

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        with self._kafka.changed:
            if not self._kafka.up:
                raise KafkaTimeoutError("no broker to ask")
            return {partition: self._kafka.begins[partition] for partition in partitions}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._positions[partition] = offset

    def close(self, *, timeout_ms: int = 0) -> None:
        with self._kafka.changed:
            if self in self._group.members:
                self._group.members.remove(self)
                self._group.generation += 1
            self._positions = {}
            self._kafka.changed.notify_all()

    def _join(self) -> None:
        """Join the current generation, starting from the committed offsets."""
        if self._generation == self._group.generation:
            return
        self._generation = self._group.generation
        rank, size = self._group.members.index(self), len(self._group.members)
        mine = [p for topic in self._topics for p in self._kafka.partitions(topic)][rank::size]
        self._positions = {p: self._group.committed.get(p) for p in mine}

    def _take(self, max_records: int) -> dict[TopicPartition, list[Record]]:
        if nowhere := {p for p, position in self._positions.items() if position is None}:
            raise NoOffsetForPartitionError(nowhere)
        batches: dict[TopicPartition, list[Record]] = {}
        for partition, position in self._positions.items():
            log = self._kafka.logs[partition]
            if position is None or not self._kafka.begins[partition] <= position <= len(log):
                if batches:  # return what there is; the next call raises
                    break
                raise OffsetOutOfRangeError({partition: position})
            records = log[position : position + max_records]
            if records:
                batches[partition] = records
                self._positions[partition] = position + len(records)
                max_records -= len(records)
        return batches
