"""Supervises several worker processes and restarts those that die."""

import threading
import time
from collections.abc import Sequence
from signal import Signals

import structlog

from eventbus.running import lifeline
from eventbus.running.lifecycle import ENDED, OUT_OF_MEMORY, REFUSED

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""A worker that ran longer than this resets the pause before a restart."""


class Supervisor:
    """Keeps a number of workers running until told to stop.

    No worker outlives its supervisor, however the supervisor dies.

    :param command: the command line of a worker.
    :param count: how many workers to keep running.
    :param ends_by_itself: whether a worker that exits with 0 is finished and not restarted.
    """

    def __init__(self, command: Sequence[str], count: int, *, ends_by_itself: bool) -> None:
        self._command = list(command)
        self._count = count
        self._ends_by_itself = ends_by_itself
        self._running: dict[int, lifeline.Started] = {}
        self._starting = threading.Lock()
        self._code = ENDED

    def run(self, stop: threading.Event) -> int:
        """Run until all workers have ended.

        :param stop: once set, every worker finishes its batch and exits.
        :returns: the overall exit code: 0, or 2 if a worker refused to start.
        """
        threading.Thread(target=self._terminate_when_stopped, args=[stop], daemon=True).start()
        numbers = range(1, self._count + 1)
        slots = [threading.Thread(target=self._keep, args=[n, stop]) for n in numbers]
        for slot in slots:
            slot.start()
        for slot in slots:
            slot.join()
        return self._code

    def kill(self) -> None:
        """Kill every worker immediately. Safe in a signal handler."""
        for process in list(self._running.values()):
            process.kill()

    def _terminate_when_stopped(self, stop: threading.Event) -> None:
        stop.wait()
        with self._starting:
            for process in self._running.values():
                process.terminate()

    def _keep(self, number: int, stop: threading.Event) -> None:
        """Keep one worker running."""
        pause = FIRST_PAUSE_SECONDS
        while process := self._start(number, stop):
            started = time.monotonic()
            code = process.wait()
            if stop.is_set() or (code == ENDED and self._ends_by_itself):
                return
            if code == REFUSED:
                self._code = REFUSED
                stop.set()
                return
            if code == OUT_OF_MEMORY:
                log.info("restarting worker: it reached --max-memory-per-child", worker=number)
                continue
            if time.monotonic() - started > HEALTHY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log.error("worker died", worker=number, exit=_shown(code), starts_again_in=f"{pause} s")
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _start(self, number: int, stop: threading.Event) -> lifeline.Started | None:
        """Start one worker, unless stopping."""
        with self._starting:
            if stop.is_set():
                return None
            process = lifeline.start(self._command)
            self._running[number] = process
        log.info("worker started", worker=number, pid=process.pid)
        return process


def _shown(code: int) -> str:
    return Signals(-code).name if code < 0 else str(code)
