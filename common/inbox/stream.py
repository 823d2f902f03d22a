"""The stream of a group's messages: a Kafka consumer that outlives what passes."""

import threading
import time
from collections.abc import Iterable
from typing import Any, Protocol

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from common.kafka.clients import Consumer

log = structlog.get_logger(__name__)

LEAVE_MS = 3_000
RETRY_SECONDS = 1.0
IDLE_POLL_MS = 200

Batches = dict[TopicPartition, list[Any]]
"""Records in offset order, by partition."""


class Source(Protocol):
    """Where a worker's messages come from, and where it says that it is done with them.

    All of it is called from one thread.
    """

    def join(self, topics: Iterable[str]) -> None:
        """Share these topics with the other members of the group."""

    def poll(self, timeout_ms: int, max_records: int) -> Batches:
        """The next records; none at the time-out, or while Kafka is away.

        :raises KafkaError: when Kafka refuses this member for good, as with a wrong password.
        """

    def commit(self, batches: Batches) -> None:
        """Let the group go on behind these records, which the database has."""

    def rewind(self, batches: Batches) -> None:
        """Let :meth:`poll` return these records again, which it returned last."""

    def idle(self, seconds: float) -> None:
        """Wait, and stay in the group."""

    def caught_up(self) -> bool:
        """Whether everything that was there at the last look has been polled."""

    def lag(self) -> int:
        """Messages that are not read yet in this member's partitions, as of the last look."""

    def assignment(self) -> set[TopicPartition]:
        """The partitions that this member reads now."""

    def leave(self) -> None:
        """Leave the group."""


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
        self._consumer.subscribe(list(topics))

    def poll(self, timeout_ms: int, max_records: int) -> Batches:
        """The next records; that Kafka is away is said once."""
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

    def idle(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stop.is_set() and (left := end - time.monotonic()) > 0:
            self.stay(min(IDLE_POLL_MS, int(left * 1000) + 1))
        self.go_on()

    def stay(self, timeout_ms: int) -> None:
        """Stay in the group and read nothing, until :meth:`go_on`; to be called now and then.

        A group throws out who does not poll: ``max.poll.interval.ms`` of KIP-62, five minutes.
        """
        self._consumer.pause(*self._consumer.assignment())
        # A rebalance in the poll may bring partitions that are not paused yet.
        self.rewind(self.poll(timeout_ms, max_records=1))

    def go_on(self) -> None:
        """Read again."""
        self._consumer.resume(*self._consumer.paused())

    def caught_up(self) -> bool:
        """By the high watermark of the last fetch, which every broker tells truly."""
        ends = {p: self._consumer.highwater(p) for p in self.assignment()}
        return bool(ends) and all(
            end is not None and self._consumer.position(p) == end for p, end in ends.items()
        )

    def lag(self) -> int:
        ends = {p: self._consumer.highwater(p) for p in self.assignment()}
        return sum(
            max(0, end - (self._consumer.position(p) or 0))
            for p, end in ends.items()
            if end is not None
        )

    def assignment(self) -> set[TopicPartition]:
        return self._consumer.assignment()

    def leave(self) -> None:
        """Leave the group. Where Kafka is away, it notices by itself when the session ends."""
        try:
            self._consumer.close(timeout_ms=LEAVE_MS)
        except KafkaError as error:
            log.warning("could not leave the group", reason=str(error))
