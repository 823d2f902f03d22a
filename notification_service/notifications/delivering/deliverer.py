"""The main loop of ``deliver``: finds lanes with due deliveries, and works on several at once."""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from eventbus.database.errors import keeps_from_working, passes
from notification_service.notifications.deciding.decisions import CHANNEL
from notification_service.notifications.delivering.lanes import Lane, lanes_due
from notification_service.notifications.delivering.pruning import notification_pruner
from notification_service.notifications.delivering.sending import step

POLL_SECONDS = 0.2
NOTIFY_SECONDS = 1.0
RETRY_SECONDS = 1.0
REPORT_SECONDS = 1.0

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
        self._away = False
        self._unreported = 0
        self._next_report = 0.0

    def run(self) -> None:
        """Deliver until stopped or, when draining, until nothing is due."""
        with ThreadPoolExecutor(self._concurrency, "deliver") as pool:
            while not self._stop.is_set():
                try:
                    self._pruner.prune()
                    is_idle = not self._start(pool) and not self._busy
                    if is_idle and self._drain:
                        break
                    self._wait(is_idle)
                    self._away = False
                except DatabaseError as error:
                    if not keeps_from_working(error):
                        raise
                    self._wait_for_database(error)
        self._report(at_once=True)

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
                self._report(future.result())
        elif is_idle:
            self._report()
            self._wait_for_deliveries()

    def _wait_for_deliveries(self) -> None:
        if connection.vendor != "postgresql":
            self._stop.wait(POLL_SECONDS)
            return
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        if lanes_due():
            return
        with connection.wrap_database_errors:
            for _ in connection.connection.notifies(timeout=NOTIFY_SECONDS, stop_after=1):
                pass

    def _wait_for_database(self, error: Exception) -> None:
        connection.close()
        if not self._away:
            self._away = True
            log.warning("waiting for the database", reason=" ".join(str(error).split()))
        self._stop.wait(RETRY_SECONDS)

    def _report(self, done: int = 0, at_once: bool = False) -> None:
        """Log at most one line a second, however short the steps are."""
        self._unreported += done
        if self._unreported and (at_once or time.monotonic() >= self._next_report):
            log.info("delivered", messages=self._unreported)
            self._unreported = 0
            self._next_report = time.monotonic() + REPORT_SECONDS


def _step(lane: Lane, stop: threading.Event) -> int:
    """Run a step in a thread of the pool. The thread keeps its connection unless it fails."""
    try:
        return step(lane, stop)
    except Exception as error:  # other lanes continue; this one is retried
        if passes(error):
            connection.close()
            raise
        log.exception("delivering in a lane failed; retrying", lane=lane.name)
        stop.wait(RETRY_SECONDS)
        return 0
