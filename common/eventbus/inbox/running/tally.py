"""A worker's counters, for its heartbeat and its final summary."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.outcome import Outcome


@dataclass
class Tally:
    """Counters since the worker started.

    :param read: messages read from Kafka, including duplicates that the inbox discarded.
    :param handled: events whose handlers succeeded, including on a retry.
    :param failed: failed attempts.
    :param parked: messages parked because they failed, or behind one that failed.
    :param lost: messages that Kafka deleted before they were read.
    :param last: the last message taken; ``last_at`` is when.
    """

    read: int = 0
    handled: int = 0
    failed: int = 0
    parked: int = 0
    lost: int = 0
    last: Message | None = None
    last_at: datetime | None = None
    _started: float = field(default_factory=time.monotonic)

    def take(self, messages: Sequence[Message]) -> None:
        """Count messages read from Kafka."""
        self.read += len(messages)
        self.last = messages[-1]
        self.last_at = datetime.now(UTC)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.handled += len(outcome.handled)
        self.failed += outcome.failures
        self.parked += len(outcome.parked)

    @property
    def seconds(self) -> float:
        """Seconds since the worker started."""
        return time.monotonic() - self._started

    def __str__(self) -> str:
        rate = self.handled / max(self.seconds, 0.001)
        lost = f", {self.lost:,} lost" if self.lost else ""
        return (
            f"{self.handled:,} handled, {self.failed:,} failed, {self.parked:,} parked{lost} "
            f"in {self.seconds:,.1f} s ({rate:,.0f} events/s)"
        )
