"""What a process does when its terminal closes."""

import os
import signal
from collections.abc import Callable
from types import FrameType

STANDARD_STREAMS = (0, 1, 2)


def when_it_closes(do: Callable[[], None]) -> None:
    """Call a function on SIGHUP instead of exiting; under ``nohup``, SIGHUP stays ignored.

    Standard streams connected to the terminal are redirected to the null device, since writing to
    a closed terminal is an error that would end the process in the middle of its work.

    :param do: called in the signal handler, possibly more than once: a closing shell forwards
        SIGHUP, and the kernel sends its own.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    # Determined now, because isatty() is false once the terminal is closed.
    terminals = [stream for stream in STANDARD_STREAMS if os.isatty(stream)]

    def handle(signum: int, frame: FrameType | None) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in terminals:
            os.dup2(null, stream)
        os.close(null)
        do()

    signal.signal(signal.SIGHUP, handle)
