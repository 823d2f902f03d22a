"""The stream of a group's messages: a Kafka consumer that outlives what passes."""

import threading
from collections.abc import Iterable
from typing import Any

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from common.kafka.clients import Consumer

log = structlog.get_logger(__name__)

LEAVE_MS = 3_000
RETRY_SECONDS = 1.0

Batches = dict[TopicPartition, list[Any]]
"""Records in offset order, by partition."""


class Stream:
    """What a worker reads, as a member of a consumer group.

    :param consumer: a Kafka consumer that commits nothing by itself.
    :param stop: cuts every wait short.
    """

    def __init__(self, consumer: Consumer, stop: threading.Event) -> None:
        self._consumer = consumer
        self._stop = stop
        self._kafka_is_away = False

    def join(self, topics: Iterable[str]) -> None:
        """Share these topics with the other members of the group."""
        self._consumer.subscribe(list(topics))

    def poll(self, timeout_ms: int, max_records: int) -> Batches:
        """The next records; none while Kafka is away, which is said once.

        :raises KafkaError: when Kafka refuses this member for good, as with a wrong password.
        """
        try:
            batches = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:
            if not error.retriable:
                raise
            if not self._kafka_is_away:
                log.warning("waiting for Kafka", reason=str(error))
            self._kafka_is_away = True
            self._stop.wait(RETRY_SECONDS)
            return {}
        self._kafka_is_away = False
        return batches

    def commit(self, batches: Batches) -> None:
        """Commit behind the database. What fails to commit comes again, and the inbox drops it."""
        mine = self._consumer.assignment()
        ends = {
            partition: OffsetAndMetadata(records[-1].offset + 1, "", -1)
            for partition, records in batches.items()
            if partition in mine
        }
        if not ends:
            return
        try:
            self._consumer.commit(ends)
        except CommitFailedError:
            log.warning("the group rebalanced; another worker goes on from the last commit")
        except KafkaError as error:
            log.warning("offsets not committed; the next commit will do", reason=str(error))

    def rewind(self, batches: Batches) -> None:
        """Read these records again, as far as their partitions are still this member's."""
        for partition in self._consumer.assignment() & batches.keys():
            self._consumer.seek(partition, batches[partition][0].offset)

    def caught_up(self) -> bool:
        """By the high watermark of the last fetch, which every broker tells truly."""
        ends = {p: self._consumer.highwater(p) for p in self.assignment()}
        return bool(ends) and all(
            end is not None and self._consumer.position(p) == end for p, end in ends.items()
        )

    def lag(self) -> int:
        """Messages that are not read yet in this member's partitions, as of the last fetch."""
        ends = {p: self._consumer.highwater(p) for p in self.assignment()}
        return sum(
            max(0, end - (self._consumer.position(p) or 0))
            for p, end in ends.items()
            if end is not None
        )

    def assignment(self) -> set[TopicPartition]:
        """The partitions that this member reads now."""
        return self._consumer.assignment()

    def leave(self) -> None:
        """Leave the group. Where Kafka is away, it notices by itself when the session ends."""
        try:
            self._consumer.close(timeout_ms=LEAVE_MS)
        except KafkaError as error:
            log.warning("could not leave the group", reason=str(error))
