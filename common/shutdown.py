"""Warm shutdown on the first SIGTERM or SIGINT, cold on the second."""

import signal
import threading
from types import FrameType


def stop_on_signals() -> threading.Event:
    """An event that is set by the first SIGTERM or SIGINT; the second ends the process at once."""
    stop = threading.Event()

    def handle(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise SystemExit(128 + signum)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
