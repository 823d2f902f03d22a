"""The worker: poll, process and commit offsets until stopped."""

import resource
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from django.db import Error as DatabaseError

from eventbus.database.errors import reconnect
from eventbus.inbox.parking.retrying import Retries
from eventbus.inbox.running import losses
from eventbus.inbox.running.heartbeat import Heartbeat
from eventbus.inbox.running.processing import Processor
from eventbus.inbox.running.pruning import inbox_pruner
from eventbus.inbox.running.stream import Stream
from eventbus.inbox.running.tally import Tally
from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.patience import Patience
from eventbus.running.daemon import Daemon

POLL_MS = 500


@dataclass(frozen=True)
class Limits:
    """When a worker exits by itself.

    :param drain: exit once all messages have been read and no parked event is due.
    :param max_events: exit after this many messages; None for no limit.
    :param max_memory_kib: exit after using more memory than this, in KiB; None for no limit.
    """

    drain: bool = False
    max_events: int | None = None
    max_memory_kib: int | None = None


@dataclass
class Worker:
    """One member of a consumer group.

    :param stream: the source of its messages.
    :param group: its consumer group.
    :param topics: the topics to subscribe to.
    :param stop: once set, the worker finishes its batch and exits.
    :param batch_size: maximum number of messages per transaction.
    :param limits: when to exit by itself; by default never.
    """

    stream: Stream
    group: str
    topics: Sequence[str]
    stop: threading.Event = field(default_factory=threading.Event)
    batch_size: int = 500
    limits: Limits = field(default_factory=Limits)
    tally: Tally = field(default_factory=Tally, init=False)

    def __post_init__(self) -> None:
        self._patience = Patience()
        self._processor = Processor(self.group, self._patience)
        self._retries = Retries(self.group, self._patience)
        self._heartbeat = Heartbeat(self.group)
        self._pruner = inbox_pruner(self.group)

    def run(self) -> None:
        """Consume until stopped, or until a limit is reached.

        :raises KafkaError: if Kafka rejects this member permanently, as with a wrong password.
        """
        self.stream.join(self.topics)
        try:
            Daemon(self.stop, self._step, self._stay_in_the_group, self._is_done).run()
        finally:
            self.stream.leave()
            self._heartbeat.end()

    @property
    def used_too_much_memory(self) -> bool:
        """Whether the memory limit is exceeded."""
        limit = self.limits.max_memory_kib
        return limit is not None and used_memory_kib() > limit

    def _is_done(self) -> bool:
        most = self.limits.max_events
        return (
            (most is not None and self.tally.read >= most)
            or (self.tally.read > 0 and self.used_too_much_memory)
            or (self.limits.drain and not self._retries.has_more and self.stream.caught_up())
        )

    def _step(self) -> None:
        self._report_losses()
        self._take_batch()
        for outcome in self._retries.run_due():
            self.tally.add(outcome)
        self._heartbeat.beat(self.stream, self.tally)
        self._pruner.prune()
        self._patience.note_success()

    def _take_batch(self) -> None:
        batches = self.stream.poll(0 if self._retries.has_more else POLL_MS, self._next_size())
        if not batches:
            return
        messages = list(map(Message.of, chain(*batches.values())))
        try:
            for outcome in self._processor.process(messages):
                self.tally.add(outcome)
                if outcome.parked:
                    self._retries.look_at_once()
        except DatabaseError:
            self.stream.rewind(batches)
            raise
        self.stream.commit(batches)
        self.tally.take(messages)

    def _report_losses(self) -> None:
        """Report losses before handling later messages, so that a crash cannot hide them."""
        for loss in list(self.stream.losses):
            losses.report(self.group, loss)
            self.tally.lost += loss.count
            self.stream.accept(loss)

    def _next_size(self) -> int:
        if self.limits.max_events is None:
            return self.batch_size
        return min(self.batch_size, self.limits.max_events - self.tally.read)

    def _stay_in_the_group(self) -> None:
        """Wait for the database as a member; nothing counts against the events meanwhile.

        Writing the heartbeat shows that this worker is alive, and whether the database works.

        Partitions are not paused: after a rebalance, kafka-python 3.0 may never resume a paused
        one.
        """
        reconnect()
        try:
            self._heartbeat.write(self.stream, self.tally)
        except DatabaseError:
            reconnect()
            self._patience.note_failure(database_answers=False)
        else:
            self._patience.note_failure(database_answers=True)


def used_memory_kib() -> int:
    """The peak memory usage of this process in KiB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used // 1024 if sys.platform == "darwin" else used  # macOS reports bytes
