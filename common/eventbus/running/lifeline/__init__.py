"""Commands that end with the process that started them, however that ends: by SIGKILL, too.

Each process holds the write end of a pipe and never writes to it. A command that it starts here
comes with a watcher (``guard.py``) that holds the read end. When the process dies, the kernel
closes the pipe, and the watcher stops the command and its process group. A command that starts
further ones through this module holds a pipe of its own for those.

Pipes work on every POSIX system. Linux's parent-death signal (PR_SET_PDEATHSIG) does not; besides,
it fires when the *thread* that started the command ends, and is cleared when the command changes
its user.
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
"""A command that was started here."""

GUARD = Path(__file__).with_name("guard.py")
LOOK_SECONDS = 1.0


class _Pipe:
    """The pipe of this process. A fork gets one of its own, or it would hold that of its parent."""

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

    The process id is the command's own. The command leads a session of its own, so Ctrl-C in a
    terminal reaches this process alone. Its standard input is empty.

    :param words: the command line. The exit code is 127 where there is no such command.
    :param options: further ones of :class:`subprocess.Popen`.
    """
    return subprocess.Popen(_guarded(words), stdin=_pipe.guarded, start_new_session=True, **options)  # noqa: S603  the caller's own command line


def run(words: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command to its end, as :func:`subprocess.run` does; it does not outlive this process.

    :param words: the command line. The exit code is 127 where there is no such command.
    :param options: further ones of :func:`subprocess.run`, which must say what ``check`` is.
    """
    return subprocess.run(  # noqa: PLW1510, S603  the caller says; it is his own command line
        _guarded(words), stdin=_pipe.guarded, start_new_session=True, **options
    )


def end_with_parent() -> None:
    """Send this process SIGTERM once the process that started it is gone.

    For parents that start commands in their own way: make, Django's autoreloader.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _guarded(words: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-I", "-S", str(GUARD), *map(str, words)]
