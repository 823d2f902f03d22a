"""An in-memory Kafka: producer and consumer as ``common.kafka.clients`` describes them.

Topics come to be on first use, with one partition: enough for order, retries and parking.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kafka import OffsetAndMetadata, TopicPartition


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Done:
    """The future of a message that is stored already."""

    def get(self, timeout: float | None = None) -> None:
        return None


@dataclass
class InMemoryKafka:
    """A broker in a dictionary. One member a group reads; offsets outlive it."""

    logs: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    offsets: dict[tuple[str, str], int] = field(default_factory=dict)

    def producer(self) -> "InMemoryProducer":
        return InMemoryProducer(self)

    def consumer(self, group: str) -> "InMemoryConsumer":
        return InMemoryConsumer(self, group)


@dataclass
class InMemoryProducer:
    kafka: InMemoryKafka

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> Done:
        log = self.kafka.logs[topic]
        log.append(Record(topic, 0, len(log), key, value, list(headers)))
        return Done()

    def flush(self, timeout: float | None = None) -> None:
        """Everything is stored already."""

    def close(self, timeout: float | None = None) -> None:
        """Nothing to release."""


@dataclass
class InMemoryConsumer:
    kafka: InMemoryKafka
    group: str
    positions: dict[str, int] = field(default_factory=dict)
    before_commit: Callable[[], None] = lambda: None

    def subscribe(self, topics: list[str]) -> None:
        self.positions = {t: self.kafka.offsets.get((self.group, t), 0) for t in topics}

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        batches: dict[TopicPartition, list[Any]] = {}
        for topic, position in self.positions.items():
            records = self.kafka.logs[topic][position : position + max_records]
            if records:
                batches[TopicPartition(topic, 0)] = list(records)
                self.positions[topic] += len(records)
                break
        return batches

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        self.before_commit()
        for partition, end in offsets.items():
            self.kafka.offsets[self.group, partition.topic] = end.offset

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(topic, 0) for topic in self.positions}

    def position(self, partition: TopicPartition) -> int | None:
        return self.positions[partition.topic]

    def highwater(self, partition: TopicPartition) -> int | None:
        return len(self.kafka.logs[partition.topic])

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    def close(self) -> None:
        self.positions = {}
