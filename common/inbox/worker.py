"""The worker: poll, process, commit the offsets, until told to stop."""

import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from common.inbox.message import Message
from common.inbox.models import Worker as Heartbeat
from common.inbox.processing import Processor, Stopping
from common.kafka.clients import Consumer

log = structlog.get_logger(__name__)

POLL_MS = 500
HEARTBEAT_SECONDS = 5.0
FORGET_AFTER = timedelta(days=1)


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
    handled: int = 0
    parked: int = 0
    _heartbeat: Heartbeat | None = None
    _next_beat: float = 0.0

    def run(self) -> None:
        """Consume until told to stop, or until caught up when draining."""
        processor = Processor(self.group, self.stop)
        self.consumer.subscribe(list(self.topics))
        try:
            while not self.stop.is_set():
                messages = self._poll()
                if messages:
                    outcome = processor.process(messages)
                    self.handled += outcome.handled
                    self.parked += outcome.parked
                    self._commit(messages)
                elif self.drain and self._caught_up():
                    break
                self._beat()
        except Stopping:
            pass
        finally:
            self.consumer.close()
            self._leave()

    def _poll(self) -> list[Message]:
        batches = self.consumer.poll(timeout_ms=POLL_MS, max_records=self.batch_size)
        return [Message.of(record) for records in batches.values() for record in records]

    def _commit(self, messages: Sequence[Message]) -> None:
        """Commit behind the database. What fails to commit comes again, and the inbox drops it."""
        ends: dict[TopicPartition, OffsetAndMetadata] = {}
        for message in messages:
            topic, partition, offset = message.place
            ends[TopicPartition(topic, partition)] = OffsetAndMetadata(offset + 1, "", -1)
        try:
            self.consumer.commit(ends)
        except CommitFailedError:
            log.warning("the group rebalanced; another worker goes on from the last commit")
        except KafkaError as error:
            log.warning("offsets not committed; the next commit will do", error=repr(error))

    def _caught_up(self) -> bool:
        """By the high watermark of the last fetch, which every broker tells truly."""
        partitions = self.consumer.assignment()
        return bool(partitions) and all(
            self.consumer.highwater(p) is not None
            and self.consumer.position(p) == self.consumer.highwater(p)
            for p in partitions
        )

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + HEARTBEAT_SECONDS
        partitions = sorted(f"{p.topic}/{p.partition}" for p in self.consumer.assignment())
        if not partitions:
            self._next_beat = 0.0
        try:
            if self._heartbeat is None:
                Heartbeat.objects.filter(seen_at__lt=timezone.now() - FORGET_AFTER).delete()
                host, pid = socket.gethostname(), os.getpid()
                self._heartbeat = Heartbeat(consumer=self.group, host=host, pid=pid)
            self._heartbeat.partitions = partitions
            self._heartbeat.save()
        except DatabaseError as error:
            log.warning("no heartbeat: the database is away", error=str(error).strip())
            connection.close()

    def _leave(self) -> None:
        if self._heartbeat is not None and self._heartbeat.pk:
            try:
                self._heartbeat.delete()
            except DatabaseError as error:
                log.warning("heartbeat row stays: the database is away", error=str(error).strip())
