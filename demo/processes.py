"""The demo's processes: short ones that must succeed, and long ones that honcho runs."""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from honcho.manager import Manager
from honcho.printer import Message, Printer

from demo.errors import StartError, Stopped
from eventbus.running import lifeline

ROOT = Path(__file__).resolve().parent.parent


def run_all(
    words: Sequence[str], environments: Sequence[dict[str, str]], stop: threading.Event
) -> None:
    """Run one Python command in several environments in parallel; none outlives the call.

    :raises StartError: with the last line printed by the first one that fails.
    :raises Stopped: if stopped before all have ended.
    """
    with ExitStack() as ending:
        started = []
        for environment in environments:
            output = ending.enter_context(TemporaryFile())
            process = lifeline.start(
                [sys.executable, *words], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
            ending.callback(process.wait)
            ending.callback(process.kill)
            started.append((process, output))
        for process, output in started:
            while process.poll() is None:
                if stop.is_set():
                    raise Stopped
                time.sleep(0.05)  # not stop.wait(): a signal handler that sets it would deadlock
            if process.returncode:
                output.seek(0)
                last = output.read().decode(errors="replace").strip().splitlines()[-1:]
                raise StartError(f"{' '.join(words)} failed: {' '.join(last)}")


class Screen(Printer):  # type: ignore[misc]
    """Honcho's printer, which ends the demo when its output is closed, as by ``make demo | head``.

    It raises :class:`Stopped` then; the processes end with this one.
    """

    def write(self, message: Message) -> None:
        try:
            super().write(message)
        except OSError as error:
            # The interpreter would try to flush the unwritten rest at exit, and report the error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.output.fileno())
            raise Stopped from error


class Processes(Manager):  # type: ignore[misc]
    """Honcho's manager, which can be stopped before every process has reported its pid.

    It suppresses honcho's own messages, except for the first process that ended. Honcho forks for
    each process to read its output; this uses threads, since a fork could outlive the manager.

    :param when_started: runs in a separate thread once every process has been started.
    """

    stop_wanted = False
    first_to_end = ""

    def __init__(self, when_started: Callable[["Processes"], None]) -> None:
        super().__init__(Screen(sys.stdout))
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._watcher = threading.Thread(target=when_started, args=(self,), daemon=True)

    def add(self, name: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Add a command that runs in the project's directory, and ends with this process."""
        process = self.add_process(name, words, env=environment, cwd=ROOT)
        process._child_ctor = partial(
            lifeline.start, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def join_watcher(self) -> None:
        """Wait for the ``when_started`` thread, if it was started."""
        if self._watcher.ident is not None:
            self._watcher.join()

    def terminate(self) -> None:
        if self._all_started():
            super().terminate()
        else:
            self.stop_wanted = True

    def _start(self) -> None:
        for name, held in self._processes.items():
            reading = threading.Thread(target=held["obj"].run, args=(self.events,), name=name)
            reading.daemon = True
            reading.start()

    def _system_print(self, data: str) -> None:
        name, _, message = data.strip().partition(" ")
        if message.startswith("stopped") and not self.first_to_end:
            self.first_to_end = f"{name} {message}"
        if not self._all_started():
            return
        if self.stop_wanted:
            self.stop_wanted = False
            super().terminate()
        elif self._watcher.ident is None:
            self._watcher.start()
