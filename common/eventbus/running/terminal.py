"""What a process does when its terminal closes."""

import os
import signal
from collections.abc import Callable
from types import FrameType

STANDARD_STREAMS = (0, 1, 2)


def when_it_closes(do: Callable[[], None]) -> None:
    """Call something at SIGHUP, in place of ending at once; ``nohup`` still has SIGHUP ignored.

    Standard streams that are the terminal lead to the null device from then on, since writing
    to a terminal that is gone is an error, and would end the process in the middle of its work.

    :param do: called in the signal handler, perhaps more than once: a shell that is closed passes
        SIGHUP on, and the kernel sends its own.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    # Afterwards nobody could tell: a terminal that is gone is none.
    terminals = [stream for stream in STANDARD_STREAMS if os.isatty(stream)]

    def handle(signum: int, frame: FrameType | None) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in terminals:
            os.dup2(null, stream)
        os.close(null)
        do()

    signal.signal(signal.SIGHUP, handle)
