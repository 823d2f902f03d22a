"""Stopping: warm on the first signal, cold on the second, whatever the process is doing."""

import signal
import subprocess
import sys
import threading

ROUNDS = 300
LOG_TO_STDERR = """
import structlog, sys
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
"""
ASKED_OFTEN = f"""{LOG_TO_STDERR}
import os
from common.lifecycle import stop_on_signals

for _ in range({ROUNDS}):
    stop = stop_on_signals()
    os.write(1, b".")
    while not stop.wait(0):
        pass
"""

ASKED_TWICE = f"""{LOG_TO_STDERR}
import os, signal
from common.lifecycle import stop_on_signals

stop = stop_on_signals()
os.kill(os.getpid(), signal.SIGINT)
assert stop.wait(10)
print("warm", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("not reached")
"""


def test_a_signal_in_the_middle_of_a_wait_does_not_hang():
    with subprocess.Popen(
        [sys.executable, "-c", ASKED_OFTEN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        watchdog = threading.Timer(30, child.kill)  # a hung child ends the reads below
        watchdog.start()
        for _ in range(ROUNDS):
            assert child.stdout.read(1) == b"."
            child.send_signal(signal.SIGTERM)
        assert child.wait() == 0
        watchdog.cancel()


def test_the_second_signal_ends_at_once():
    done = subprocess.run(
        [sys.executable, "-c", ASKED_TWICE], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (143, "warm\n"), done.stderr
