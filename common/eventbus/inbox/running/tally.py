"""What a worker has done so far, for its heartbeat and for its last words."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.outcome import Outcome


@dataclass
class Tally:
    """Counts since the worker began.

    :param read: messages that were taken from Kafka, those that the inbox knew included.
    :param handled: events whose handlers succeeded, on a later try perhaps.
    :param failed: tries that failed.
    :param parked: messages that were parked because they failed, or behind one that did.
    :param lost: messages that Kafka had deleted before they were read.
    :param last: the message that was taken last, and when.
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
        """Count messages that came from Kafka."""
        self.read += len(messages)
        self.last = messages[-1]
        self.last_at = datetime.now(UTC)

    def add(self, outcome: Outcome) -> None:
        """Count what became of messages."""
        self.handled += len(outcome.handled)
        self.failed += outcome.failures
        self.parked += len(outcome.parked)

    @property
    def seconds(self) -> float:
        """How long ago the worker began."""
        return time.monotonic() - self._started

    def __str__(self) -> str:
        rate = self.handled / max(self.seconds, 0.001)
        lost = f", {self.lost:,} lost" if self.lost else ""
        return (
            f"{self.handled:,} handled, {self.failed:,} failed, {self.parked:,} parked{lost} "
            f"in {self.seconds:,.1f} s ({rate:,.0f} events/s)"
        )
