"""An experiment: a stack under load, one fault, and its effects."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.rig.ledger import Account, Ledger
from tests.rig.messages import lag
from tests.stack import Process, Stack, eventually

FLOWING = 100
"""Events stored before the fault, so that it hits a busy system."""
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Result:
    """The effects of a fault.

    :param recovery_seconds: from the end of the fault until every change that was committed by
        then was stored downstream; the longest, if a test causes several faults.
    """

    number: int
    fault: str
    account: Account
    recovery_seconds: float


class Experiment:
    """The product service's relay and the audit service's workers, under load from writers.

    :param stack: a stack with empty databases and a running Kafka.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ledger = Ledger(stack.database_urls["product"], stack.database_urls["audit"])
        self.recovery_seconds = 0.0
        self._writers: Process | None = None
        stack.manage("product", "create_topics")

    def start_relay(self) -> Process:
        return self.stack.start("product", "relay_events")

    def start_worker(self, **variables: str) -> Process:
        return self.stack.start("audit", "consume_events", **variables)

    def write(self) -> None:
        """Wait until more changes are committed; the first call starts the writers."""
        if self._writers is None:
            self._writers = self.stack.start_module("product", "tests.rig.writers")
        wanted = self.ledger.sent() + FLOWING
        eventually(lambda: self.ledger.sent() >= wanted, PATIENCE_SECONDS)

    def flow(self) -> None:
        """Wait until more events arrive under load."""
        self.write()
        self.catch_up(self.ledger.stored() + FLOWING)

    def catch_up(self, stored: int) -> None:
        """Wait until this many entries are stored."""
        eventually(lambda: self.ledger.stored() >= stored, PATIENCE_SECONDS)

    @contextmanager
    def fault(self) -> Iterator[None]:
        """The duration of the fault; at its end, everything must be available again."""
        yield
        ended = time.monotonic()
        self.catch_up(self.ledger.sent())
        self.recovery_seconds = max(self.recovery_seconds, time.monotonic() - ended)

    def settle(self) -> Account:
        """Stop the writers, wait until every event has been consumed, and count."""
        assert self._writers is not None, "nothing was written"
        assert self._writers.stop() == 0, self._writers.output
        eventually(self._is_quiet, PATIENCE_SECONDS)
        return self.ledger.account()

    def _is_quiet(self) -> bool:
        return self.ledger.waiting() == 0 and lag(self.stack.kafka, "audit_service") == 0
