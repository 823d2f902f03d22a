"""The main loop of ``deliver``: finds lanes with due deliveries, and works on several at once."""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog
from django.db import connection

from eventbus.database.errors import passes
from eventbus.database.waking import wait_for_rows
from eventbus.running.daemon import Daemon, Report
from notification_service.notifications.deciding.decisions import CHANNEL
from notification_service.notifications.delivering.lanes import Lane, lanes_due
from notification_service.notifications.delivering.pruning import notification_pruner
from notification_service.notifications.delivering.sending import step

POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Deliverer:
    """Sends due deliveries until stopped. Several processes may run.

    A slow receiver occupies at most one thread of each process.

    :param stop: set it to end :meth:`run` after the messages in progress.
    :param concurrency: how many lanes are processed at once.
    :param drain: return once nothing is due.
    """

    def __init__(self, stop: threading.Event, concurrency: int, drain: bool = False) -> None:
        self._stop = stop
        self._concurrency = concurrency
        self._drain = drain
        self._busy: dict[Future[int], Lane] = {}
        self._served: dict[str, float] = {}
        self._pruner = notification_pruner()
        self._report = Report("delivered", "messages")
        self._is_done = False

    def run(self) -> None:
        """Deliver until stopped or, when draining, until nothing is due."""
        with ThreadPoolExecutor(self._concurrency, "deliver") as pool:
            Daemon(self._stop, lambda: self._work(pool), until=lambda: self._is_done).run()
        self._report.flush()

    def _work(self, pool: ThreadPoolExecutor) -> None:
        self._pruner.prune()
        is_idle = not self._start(pool) and not self._busy
        self._is_done = is_idle and self._drain
        if not self._is_done:
            self._wait(is_idle)

    def _start(self, pool: ThreadPoolExecutor) -> int:
        """Start a step in each lane that has due deliveries, as long as threads are free."""
        working = {lane.name for lane in self._busy.values()}
        waiting = [lane for lane in lanes_due() if lane.name not in working]
        waiting.sort(key=lambda lane: self._served.get(lane.name, 0.0))
        started = waiting[: self._concurrency - len(self._busy)]
        for lane in started:
            self._served[lane.name] = time.monotonic()
            self._busy[pool.submit(_step, lane, self._stop)] = lane
        return len(started)

    def _wait(self, is_idle: bool) -> None:
        """Wait until a step has ended, or something may be due."""
        if self._busy:
            ended, _ = wait(self._busy, POLL_SECONDS, FIRST_COMPLETED)
            for future in ended:
                del self._busy[future]
                self._report.add(future.result())
        elif is_idle:
            self._report.add()
            wait_for_rows(connection, CHANNEL, lanes_due, self._stop)


def _step(lane: Lane, stop: threading.Event) -> int:
    """Run a step in a thread of the pool. The thread keeps its connection unless it fails."""
    try:
        return step(lane, stop)
    except Exception as error:  # other lanes continue; this one is retried
        if passes(error):
            connection.close()
            stop.wait(RETRY_SECONDS)
            raise
        log.exception("delivering in a lane failed; retrying", lane=lane.name)
        stop.wait(RETRY_SECONDS)
        return 0
