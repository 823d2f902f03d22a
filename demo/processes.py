"""The demo's processes: short ones that must succeed, and long ones that honcho runs."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from honcho.manager import Manager
from honcho.printer import Printer

from demo.errors import StartError

ROOT = Path(__file__).resolve().parent.parent


def run_all(words: Sequence[str], environments: Sequence[dict[str, str]]) -> None:
    """Run one Python command in several environments, side by side.

    :raises StartError: with the last line that the first failing one printed.
    """
    started = [
        subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment in environments
    ]
    try:
        for process in started:
            output, _ = process.communicate()
            if process.returncode:
                last = output.strip().splitlines()[-1:]
                raise StartError(f"{' '.join(words)} failed: {' '.join(last)}")
    finally:
        for process in started:
            process.kill()
            process.wait()


class Processes(Manager):
    """Honcho's manager, which can be stopped before every process has told its pid.

    It keeps honcho's own lines to itself, but for the first process that ended.

    :param when_started: runs in a thread of its own once every process has been started. Not
        before: honcho forks, and a fork copies what another thread has open at that moment.
    """

    stop_wanted = False
    first_to_end = ""

    def __init__(self, when_started: Callable[["Processes"], None]) -> None:
        super().__init__(Printer(sys.stdout))
        self._watcher = threading.Thread(target=when_started, args=(self,), daemon=True)

    def terminate(self) -> None:
        if self._all_started():
            super().terminate()
        else:
            self.stop_wanted = True

    def _system_print(self, data: str) -> None:
        name, _, told = data.strip().partition(" ")
        if told.startswith("stopped") and not self.first_to_end:
            self.first_to_end = f"{name} {told}"
        if not self._all_started():
            return
        if self.stop_wanted:
            self.stop_wanted = False
            super().terminate()
        elif self._watcher.ident is None:
            self._watcher.start()
