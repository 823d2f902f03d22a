"""The loop of a process that runs for years: what it waits for, and what it reports."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import Error as DatabaseError

from eventbus.database.errors import keeps_from_working, reconnect

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
"""Far below ``max.poll.interval.ms`` (KIP-62): a consumer group expels members that do not poll."""
REPORT_SECONDS = 1.0


class Outage:
    """Something that the process cannot work without, and that may be unavailable for a while.

    One line is logged when it becomes unavailable, and one when the work goes on, however many
    attempts fail in between and whatever their reasons are.

    :param what: what is waited for, as the log names it: "Kafka".
    :param stop: cuts every wait short.
    """

    def __init__(self, what: str, stop: threading.Event) -> None:
        self._what = what
        self._stop = stop
        self._since: float | None = None
        self._pause = FIRST_PAUSE_SECONDS

    def note(self, reason: object) -> None:
        """Record that an attempt failed, or takes long; logged if it is the first."""
        if self._since is None:
            self._since = time.monotonic()
            self._pause = FIRST_PAUSE_SECONDS
            log.warning(f"waiting for {self._what}", reason=" ".join(str(reason).split()))

    def wait(self, reason: object) -> None:
        """Wait until the next attempt is due: longer each time, up to a second."""
        self.note(reason)
        self._stop.wait(min(self._pause, LONGEST_PAUSE_SECONDS))
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        """Record that an attempt succeeded; logged if others had failed before."""
        if self._since is not None:
            seconds = round(time.monotonic() - self._since, 1)
            self._since = None
            log.info("going on", waited_for=self._what, seconds=seconds)


def _never() -> bool:
    return False


@dataclass
class Daemon:
    """Repeats a step until told to stop, and waits while the database is unavailable.

    :param stop: set it, and :meth:`run` returns after the step that is under way.
    :param step: one round of the work. It waits by itself when there is nothing to do.
    :param recover: makes the next step possible after the database failed; called before each wait.
    :param until: asked before each step; true ends the loop, too.
    """

    stop: threading.Event
    step: Callable[[], object]
    recover: Callable[[], object] = reconnect
    until: Callable[[], bool] = _never

    def __post_init__(self) -> None:
        self.database = Outage("the database", self.stop)
        """Ended after each step. A step that may last for hours ends it as soon as it can tell."""

    def run(self) -> None:
        """Run until told to stop.

        :raises django.db.Error: when waiting does not help, as with a table that does not exist.
        """
        while not self.stop.is_set() and not self.until():
            try:
                self.step()
            except DatabaseError as error:
                if not keeps_from_working(error):
                    raise
                self.database.note(error)
                self.recover()
                self.database.wait(error)
            else:
                self.database.end()


class Report:
    """Counts what was done, and logs the count at most once a second.

    :param event: the log line, such as "relayed".
    :param unit: what is counted, such as "events".
    """

    def __init__(self, event: str, unit: str) -> None:
        self._event = event
        self._unit = unit
        self._count = 0
        self._next = 0.0

    def add(self, count: int = 0) -> None:
        """Count, and log if it is time to; without a count, only log what was held back."""
        self._count += count
        if time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> None:
        """Log what has not been logged yet."""
        if self._count:
            log.info(self._event, **{self._unit: self._count})
            self._count = 0
            self._next = time.monotonic() + REPORT_SECONDS
