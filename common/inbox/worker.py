"""The worker: poll, process, commit the offsets, until told to stop."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from common.inbox.heartbeat import Heartbeat
from common.inbox.message import Message
from common.inbox.processing import Processor, Stopping
from common.inbox.pruning import Pruner
from common.kafka.clients import Consumer

log = structlog.get_logger(__name__)

POLL_MS = 500
LEAVE_MS = 3_000
RETRY_SECONDS = 1.0

Batches = dict[TopicPartition, list[Any]]
"""Records in offset order, by partition."""


@dataclass
class Worker:
    """One member of a consumer group.

    :param consumer: a Kafka consumer that commits nothing by itself.
    :param group: its consumer group.
    :param topics: what to subscribe to.
    :param stop: set it, and the worker finishes its batch and leaves.
    :param batch_size: the most messages in one transaction.
    :param drain: leave when everything that is there has been read.
    """

    consumer: Consumer
    group: str
    topics: Sequence[str]
    stop: threading.Event = field(default_factory=threading.Event)
    batch_size: int = 500
    drain: bool = False
    handled: int = field(default=0, init=False)
    parked: int = field(default=0, init=False)
    _kafka_is_away: bool = field(default=False, init=False)

    def run(self) -> None:
        """Consume until told to stop, or until caught up when draining.

        :raises KafkaError: when Kafka refuses this member for good, as with a wrong password.
        """
        processor = Processor(self.group, self.stop)
        heartbeat = Heartbeat(self.group)
        pruner = Pruner(self.group)
        self.consumer.subscribe(list(self.topics))
        try:
            while not self.stop.is_set() and not (self.drain and self._caught_up()):
                if batches := self._poll():
                    outcome = processor.process(list(map(Message.of, chain(*batches.values()))))
                    self.handled += outcome.handled
                    self.parked += outcome.parked
                    self._commit(batches)
                heartbeat.beat(self.consumer.assignment())
                pruner.prune()
        except Stopping:
            pass
        finally:
            self._leave()
            heartbeat.end()

    def _poll(self) -> Batches:
        """The next records; none while Kafka is away, which is said once."""
        try:
            batches = self.consumer.poll(timeout_ms=POLL_MS, max_records=self.batch_size)
        except KafkaError as error:
            if not error.retriable:
                raise
            if not self._kafka_is_away:
                log.warning("waiting for Kafka", reason=str(error))
            self._kafka_is_away = True
            self.stop.wait(RETRY_SECONDS)
            return {}
        self._kafka_is_away = False
        return batches

    def _commit(self, batches: Batches) -> None:
        """Commit behind the database. What fails to commit comes again, and the inbox drops it."""
        ends = {
            partition: OffsetAndMetadata(records[-1].offset + 1, "", -1)
            for partition, records in batches.items()
        }
        try:
            self.consumer.commit(ends)
        except CommitFailedError:
            log.warning("the group rebalanced; another worker goes on from the last commit")
        except KafkaError as error:
            log.warning("offsets not committed; the next commit will do", reason=str(error))

    def _leave(self) -> None:
        """Leave the group. Where Kafka is away, it notices by itself when the session ends."""
        try:
            self.consumer.close(timeout_ms=LEAVE_MS)
        except KafkaError as error:
            log.warning("could not leave the group", reason=str(error))

    def _caught_up(self) -> bool:
        """By the high watermark of the last fetch, which every broker tells truly."""
        partitions = self.consumer.assignment()
        return bool(partitions) and all(
            self.consumer.highwater(p) is not None
            and self.consumer.position(p) == self.consumer.highwater(p)
            for p in partitions
        )
