"""Several workers for one command: each a process of its own, started again when it dies."""

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
"""A worker that lived so long is started again after the first pause, whatever came before."""


class Supervisor:
    """Keeps so many workers running until told to stop.

    No worker outlives its supervisor, however that dies.

    :param command: what starts a worker.
    :param count: how many to keep.
    :param ends_by_itself: whether a worker that exits with 0 is done, and not to be replaced.
    """

    def __init__(self, command: Sequence[str], count: int, *, ends_by_itself: bool) -> None:
        self._command = list(command)
        self._count = count
        self._ends_by_itself = ends_by_itself
        self._running: dict[int, lifeline.Started] = {}
        self._starting = threading.Lock()
        self._code = ENDED

    def run(self, stop: threading.Event) -> int:
        """Run until all workers have left.

        :param stop: set it, and every worker finishes its batch and leaves.
        :returns: the exit code for the whole: 0, or 2 where a worker refused to work.
        """
        threading.Thread(target=self._tell_when_stopped, args=[stop], daemon=True).start()
        numbers = range(1, self._count + 1)
        slots = [threading.Thread(target=self._keep, args=[n, stop]) for n in numbers]
        for slot in slots:
            slot.start()
        for slot in slots:
            slot.join()
        return self._code

    def kill(self) -> None:
        """End every worker at once. Safe in a signal handler."""
        for process in list(self._running.values()):
            process.kill()

    def _tell_when_stopped(self, stop: threading.Event) -> None:
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
                log.info("worker replaced: it reached --max-memory-per-child", worker=number)
                continue
            if time.monotonic() - started > HEALTHY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log.error("worker died", worker=number, exit=_shown(code), starts_again_in=f"{pause} s")
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _start(self, number: int, stop: threading.Event) -> lifeline.Started | None:
        """Start one worker, unless told to stop."""
        with self._starting:
            if stop.is_set():
                return None
            process = lifeline.start(self._command)
            self._running[number] = process
        log.info("worker started", worker=number, pid=process.pid)
        return process


def _shown(code: int) -> str:
    return Signals(-code).name if code < 0 else str(code)
