"""The stream of a group's messages: a Kafka consumer that outlives what passes."""

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

    :param first: the offset at which the group would have gone on.
    :param following: the first offset that Kafka still has.
    """

    partition: TopicPartition
    first: int
    following: int

    @property
    def count(self) -> int:
        """How many offsets that are; compacted topics and transactions use more than messages."""
        return self.following - self.first


class Stream:
    """What a worker reads, as a member of a consumer group.

    Where the group has committed nothing, it begins with the first message that Kafka has. Where
    Kafka has deleted what comes next, it goes on with the first that is left, and keeps what was
    missed in :attr:`losses`, for the worker to tell.

    :param consumer: a Kafka consumer that commits nothing by itself and resets no offset.
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
        """The next records; none while Kafka is away, which is said once.

        :raises KafkaError: when Kafka refuses this member for good, as with a wrong password.
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
        """Begin with the first messages that Kafka has.

        It forgets the offsets of a group that was away for ``offsets.retention.minutes``, and then
        nobody can say whether the group had read what was deleted.
        """
        for partition, begin in self._consumer.beginning_offsets(self._mine(partitions)).items():
            self._consumer.seek(partition, begin)
            if begin:
                log.warning(
                    "the group has no offset here and begins with the first message that is left",
                    partition=shown(partition),
                    first=begin,
                )

    def _go_on_behind(self, wanted: Mapping[TopicPartition, int]) -> None:
        """Go on with the first messages that Kafka has, and note those that it has no more."""
        mine = self._mine(wanted)
        begins = self._consumer.beginning_offsets(mine)
        for partition in mine:
            offset, begin = wanted[partition], begins[partition]
            self._consumer.seek(partition, begin)
            if offset < begin:
                self.losses.append(Loss(partition, offset, begin))
            else:  # nothing is missed: what is known comes again, and the inbox drops it
                log.error(
                    "the topic ends before the group's offset, so it was made anew: from the start",
                    partition=shown(partition),
                    offset=offset,
                    first=begin,
                )

    def _go_back(self, divergent: Mapping[TopicPartition, OffsetAndMetadata | None]) -> None:
        """Go on where the brokers disagree with what was read (KIP-320)."""
        mine = self._mine(divergent)
        begins = self._consumer.beginning_offsets(mine)
        for partition in mine:
            known = divergent[partition]
            offset = known.offset if known else begins[partition]
            log.error(
                "Kafka lost messages that the group had read; it goes on before them",
                partition=shown(partition),
                first=offset,
            )
            self._consumer.seek(partition, offset)

    def commit(self, batches: Batches) -> None:
        """Commit behind the database. What fails to commit comes again, and the inbox drops it."""
        self._commit({place: records[-1].offset + 1 for place, records in batches.items()})

    def accept(self, loss: Loss) -> None:
        """Go on behind a loss that has been told; the group commits that, too."""
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
        return (
            bool(ends)
            and not self.losses
            and all(
                end is not None and self._consumer.position(p) == end for p, end in ends.items()
            )
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


def shown(partition: TopicPartition) -> str:
    """A partition as it is written everywhere, such as ``product.events/3``."""
    return f"{partition.topic}/{partition.partition}"
