"""Stopping: warm on the first signal, cold on the second, whatever the process is doing."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from eventbus.running import lifeline
from eventbus.testing.eventually import eventually

ROUNDS = 300
LOG_TO_STDERR = """
import structlog, sys
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
"""
ASKED_OFTEN = f"""{LOG_TO_STDERR}
import os
from eventbus.running.lifecycle import stop_on_signals

for _ in range({ROUNDS}):
    stop = stop_on_signals()
    os.write(1, b".")
    while not stop.wait(0):
        pass
"""

ASKED_TWICE = f"""{LOG_TO_STDERR}
import os, signal
from eventbus.running.lifecycle import stop_on_signals

stop = stop_on_signals()
os.kill(os.getpid(), signal.SIGINT)
assert stop.wait(10)
print("warm", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("not reached")
"""

HUNG_UP = f"""{LOG_TO_STDERR}
import os, signal
from eventbus.running.lifecycle import stop_on_signals

stop = stop_on_signals()
for _ in range(3):
    os.kill(os.getpid(), signal.SIGHUP)
print(stop.wait({{patience}}), flush=True)
"""

IN_A_TERMINAL = f"""{LOG_TO_STDERR}
import pathlib, sys
from eventbus.running.lifecycle import stop_on_signals

stop = stop_on_signals()
print("ready", flush=True)
stop.wait()
for stream in (sys.stdout, sys.stderr):
    print("unread", file=stream, flush=True)
pathlib.Path(sys.argv[1]).write_text("to its end")
"""
TERMINAL = "import pty, sys; pty.spawn(sys.argv[1:])"
"""A terminal window with a command in it; killing it is like closing the window."""


def test_a_signal_in_the_middle_of_a_wait_does_not_hang() -> None:
    with lifeline.start(
        [sys.executable, "-c", ASKED_OFTEN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        watchdog = threading.Timer(120, child.kill)  # a hung child ends the reads below
        watchdog.start()
        assert child.stdout is not None
        for _ in range(ROUNDS):
            assert child.stdout.read(1) == b"."
            child.send_signal(signal.SIGTERM)
        assert child.wait() == 0
        watchdog.cancel()


def test_the_second_signal_ends_at_once() -> None:
    done = lifeline.run(
        [sys.executable, "-c", ASKED_TWICE], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (143, "warm\n"), done.stderr


@pytest.mark.parametrize(
    ("before", "patience", "is_stopped"),
    [("", 60, True), ("import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)", 1, False)],
    ids=["stops", "runs on under nohup"],
)
def test_a_hang_up_stops_it_warmly_however_often_it_comes(
    before: str, patience: int, is_stopped: bool
) -> None:
    code = before + HUNG_UP.format(patience=patience)
    done = lifeline.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{is_stopped}\n"), done.stderr


def test_it_works_to_its_end_when_its_terminal_closes(tmp_path: Path) -> None:
    done = tmp_path / "done"
    command = [sys.executable, "-c", IN_A_TERMINAL, str(done)]
    terminal = lifeline.start(
        [sys.executable, "-c", TERMINAL, *command], stdout=subprocess.PIPE, text=True
    )
    assert terminal.stdout is not None
    assert "ready" in terminal.stdout.readline()
    terminal.kill()
    terminal.wait()
    terminal.stdout.close()
    eventually(done.exists)
    eventually(lambda: done.read_text() == "to its end")
