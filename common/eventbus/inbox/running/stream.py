"""The message stream of a consumer group, which survives transient Kafka errors."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CommitFailedError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from eventbus.kafka.clients import Consumer
from eventbus.running.daemon import Outage

log = structlog.get_logger(__name__)

LEAVE_MS = 3_000

Batches = dict[TopicPartition, list[Any]]
"""Records in offset order, by partition."""


@dataclass(frozen=True)
class Loss:
    """Messages that Kafka deleted before the group had read them.

    :param first: the offset from which the group would have resumed.
    :param following: the first offset that Kafka still has.
    """

    partition: TopicPartition
    first: int
    following: int

    @property
    def count(self) -> int:
        """Number of offsets; compacted topics and transactions have fewer messages."""
        return self.following - self.first


class Stream:
    """The messages that a worker reads as a member of a consumer group.

    Without a committed offset, it starts at the first message that Kafka has. If Kafka has deleted
    the next message, it resumes from the first remaining one, and keeps the gap in :attr:`losses`
    for the worker to report.

    :param consumer: a Kafka consumer without automatic commits and offset resets.
    :param stop: cuts every wait short.
    """

    def __init__(self, consumer: Consumer, stop: threading.Event) -> None:
        self._consumer = consumer
        self._kafka = Outage("Kafka", stop)
        self.losses: list[Loss] = []

    def join(self, topics: Iterable[str]) -> None:
        """Share these topics with the other members of the group."""
        self._consumer.subscribe(list(topics))

    def poll(self, timeout_ms: int, max_records: int) -> Batches:
        """The next records; none while Kafka is unavailable, which is logged once.

        :raises KafkaError: if Kafka rejects this member permanently, as with a wrong password.
        """
        try:
            batches = self._polled(timeout_ms, max_records)
        except KafkaError as error:
            if not error.retriable:
                raise
            self._kafka.wait(error)
            return {}
        self._kafka.end()
        return batches

    def _polled(self, timeout_ms: int, max_records: int) -> Batches:
        try:
            return self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        except NoOffsetForPartitionError as error:
            self._begin(error.args[0])
        except OffsetOutOfRangeError as error:
            self._go_on_behind(error.args[0])
        except LogTruncationError as error:
            self._go_back(error.divergent_offsets)
        return {}

    def _mine(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        return sorted(self._consumer.assignment().intersection(partitions))

    def _begin(self, partitions: Iterable[TopicPartition]) -> None:
        """Start at the first messages that Kafka has.

        Kafka forgets the offsets of a group that was inactive for ``offsets.retention.minutes``;
        then it is unknown whether the group had read the deleted messages.
        """
        for partition, begin in self._consumer.beginning_offsets(self._mine(partitions)).items():
            self._consumer.seek(partition, begin)
            if begin:
                log.warning(
                    "the group has no committed offset; starting at the first remaining message",
                    partition=shown(partition),
                    first=begin,
                )

    def _go_on_behind(self, wanted: Mapping[TopicPartition, int]) -> None:
        """Resume from the first messages that Kafka has, and note the deleted ones."""
        mine = self._mine(wanted)
        begins = self._consumer.beginning_offsets(mine)
        for partition in mine:
            offset, begin = wanted[partition], begins[partition]
            self._consumer.seek(partition, begin)
            if offset < begin:
                self.losses.append(Loss(partition, offset, begin))
            else:  # nothing is lost: the inbox discards what was already handled
                log.error(
                    "the topic ends before the group's offset, so it was recreated: reading all",
                    partition=shown(partition),
                    offset=offset,
                    first=begin,
                )

    def _go_back(self, divergent: Mapping[TopicPartition, OffsetAndMetadata | None]) -> None:
        """Resume from where the brokers' log diverges from what was read (KIP-320)."""
        mine = self._mine(divergent)
        begins = self._consumer.beginning_offsets(mine)
        for partition in mine:
            known = divergent[partition]
            offset = known.offset if known else begins[partition]
            log.error(
                "Kafka lost messages that the group had read; resuming before them",
                partition=shown(partition),
                first=offset,
            )
            self._consumer.seek(partition, offset)

    def commit(self, batches: Batches) -> None:
        """Commit after the database did. If this fails, the inbox discards what is redelivered."""
        self._commit({place: records[-1].offset + 1 for place, records in batches.items()})

    def accept(self, loss: Loss) -> None:
        """Skip a loss that has been reported, and commit the offset behind it."""
        self.losses.remove(loss)
        self._commit({loss.partition: loss.following})

    def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        mine = self._consumer.assignment()
        ends = {
            partition: OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
            if partition in mine
        }
        if not ends:
            return
        try:
            self._consumer.commit(ends)
        except CommitFailedError:
            log.warning("the group rebalanced; another worker resumes from the last commit")
        except KafkaError as error:
            log.warning("offsets not committed; the next commit includes them", reason=str(error))

    def rewind(self, batches: Batches) -> None:
        """Read these records again where their partitions are still assigned to this member."""
        for partition in self._consumer.assignment() & batches.keys():
            self._consumer.seek(partition, batches[partition][0].offset)

    def caught_up(self) -> bool:
        """Whether everything up to the high watermarks of the last fetch has been read."""
        ends = {p: self._consumer.highwater(p) for p in self.assignment()}
        return (
            bool(ends)
            and not self.losses
            and all(
                end is not None and self._consumer.position(p) == end for p, end in ends.items()
            )
        )

    def lag(self) -> int:
        """Number of unread messages in this member's partitions, as of the last fetch."""
        ends = {p: self._consumer.highwater(p) for p in self.assignment()}
        return sum(
            max(0, end - (self._consumer.position(p) or 0))
            for p, end in ends.items()
            if end is not None
        )

    def assignment(self) -> set[TopicPartition]:
        """The partitions currently assigned to this member."""
        return self._consumer.assignment()

    def leave(self) -> None:
        """Leave the group. If Kafka is unreachable, it notices when the session times out."""
        try:
            self._consumer.close(timeout_ms=LEAVE_MS)
        except KafkaError as error:
            log.warning("could not leave the group", reason=str(error))


def shown(partition: TopicPartition) -> str:
    """A partition for display, such as ``product.events/3``."""
    return f"{partition.topic}/{partition.partition}"
