"""Commands that end with the process that started them, even if it dies by SIGKILL.

Each process holds the write end of a pipe and never writes to it. A command started here comes
with a watcher (``guard.py``) that holds the read end. When the process dies, the kernel closes the
pipe, and the watcher stops the command and its process group. A command that starts others through
this module holds its own pipe for them.

Pipes work on every POSIX system. The parent-death signal (PR_SET_PDEATHSIG) is specific to Linux,
fires when the *thread* that started the command ends, and is cleared when the command changes its
user.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Started", "end_with_parent", "run", "start"]

Started = subprocess.Popen[Any]
"""A command started by this module."""

GUARD = Path(__file__).with_name("guard.py")
LOOK_SECONDS = 1.0


class _Pipe:
    """The pipe of this process. A fork replaces it, so as not to hold its parent's open."""

    def __init__(self) -> None:
        self.guarded, self._held = os.pipe()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        os.close(self.guarded)
        os.close(self._held)
        self.guarded, self._held = os.pipe()


_pipe = _Pipe()


def start(words: Sequence[str | Path], **options: Any) -> Started:
    """Start a command that does not outlive this process.

    The process id is that of the command itself. The command runs in its own session, so Ctrl-C in
    a terminal reaches only this process. Its standard input is empty.

    :param words: the command line. The exit code is 127 if the command does not exist.
    :param options: further options of :class:`subprocess.Popen`.
    """
    return subprocess.Popen(_guarded(words), stdin=_pipe.guarded, start_new_session=True, **options)  # noqa: S603  the caller's own command line


def run(words: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command to completion like :func:`subprocess.run`; it does not outlive this process.

    :param words: the command line. The exit code is 127 if the command does not exist.
    :param options: further options of :func:`subprocess.run`, which must include ``check``.
    """
    return subprocess.run(  # noqa: PLW1510, S603  passed by the caller; the caller's own command line
        _guarded(words), stdin=_pipe.guarded, start_new_session=True, **options
    )


def end_with_parent() -> None:
    """Send this process SIGTERM once its parent process has ended.

    For commands that are not started by this module but by make or Django's autoreloader.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _guarded(words: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-I", "-S", str(GUARD), *map(str, words)]
