"""No command outlives the process that started it, whatever either does."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventbus.running import lifeline
from eventbus.running.lifeline.guard import GRACE_SECONDS, NO_SUCH_COMMAND
from eventbus.testing.eventually import eventually

STARTER = """
import os, sys, time
from eventbus.running import lifeline

lifeline.start(["sh", "-c", sys.argv[1]])
{then}
"""
WAIT = "time.sleep(600)"
LEAVE = """
pids = os.environ["PIDS"]
while not (os.path.exists(pids) and os.path.getsize(pids)):
    time.sleep(0.01)
os._exit(0)
"""
WRITE_PIDS = "echo $$ >> $PIDS"
MANNERLY = f"{WRITE_PIDS}; exec sleep 600"
DEAF = f"trap '' TERM HUP INT; {WRITE_PIDS}; sleep 600 & echo $! >> $PIDS; wait"
"""Ignores signals, and has a child of its own."""
LEADERLESS = f"{WRITE_PIDS}; sleep 600 & echo $! >> $PIDS; kill -9 $$"
"""Its group lives on without it."""


class Starter:
    """A process that starts a command and makes its process ids known."""

    def __init__(self, directory: Path, command: str, then: str = WAIT) -> None:
        self._pids = directory / "pids"
        environment = {**os.environ, "PIDS": str(self._pids)}
        code = STARTER.format(then=then)
        self.process = lifeline.start([sys.executable, "-c", code, command], env=environment)

    def pids(self, number: int) -> list[int]:
        """The process ids of the command and its child, once this many are known."""
        return eventually(lambda: found if len(found := self._known()) >= number else [])

    def _known(self) -> list[int]:
        return [int(word) for word in self._pids.read_text().split()] if self._pids.exists() else []


@pytest.fixture
def started() -> Iterator[list[Starter]]:
    starters: list[Starter] = []
    yield starters
    for starter in starters:
        starter.process.kill()
        starter.process.wait()


def alive(pid: int) -> bool:
    """Whether it is running; zombies are not."""
    state = lifeline.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return bool(state.stdout) and not state.stdout.startswith(b"Z")


@pytest.mark.parametrize(("command", "number"), [(MANNERLY, 1), (LEADERLESS, 2)])
@pytest.mark.parametrize("number_of_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT])
def test_it_ends_with_its_starter(
    tmp_path: Path,
    started: list[Starter],
    command: str,
    number: int,
    number_of_signal: signal.Signals,
) -> None:
    started.append(starter := Starter(tmp_path, command))
    pids = starter.pids(number)
    assert alive(pids[-1])
    starter.process.send_signal(number_of_signal)
    eventually(lambda: not any(alive(pid) for pid in pids), GRACE_SECONDS / 2)


def test_it_ends_when_its_starter_exits_without_cleanup(tmp_path: Path) -> None:
    starter = Starter(tmp_path, MANNERLY, then=LEAVE)
    assert starter.process.wait() == 0
    [pid] = starter.pids(1)
    eventually(lambda: not alive(pid))


def test_a_fork_of_its_starter_does_not_keep_it_alive(
    tmp_path: Path, started: list[Starter]
) -> None:
    """As multiprocessing and gunicorn fork."""
    forks = "os.fork() or print(os.getpid(), file=open(os.environ['PIDS'], 'a')) ; time.sleep(600)"
    started.append(starter := Starter(tmp_path, MANNERLY, then=forks))
    pids = starter.pids(2)
    starter.process.kill()
    starter.process.wait()
    eventually(lambda: sum(alive(pid) for pid in pids) == 1)
    [fork] = [pid for pid in pids if alive(pid)]
    os.kill(fork, signal.SIGKILL)


def test_one_that_ignores_signals_is_killed_with_its_children(
    tmp_path: Path, started: list[Starter]
) -> None:
    started.append(starter := Starter(tmp_path, DEAF))
    pids = starter.pids(2)
    os.killpg(pids[0], signal.SIGSTOP)  # the watcher is in another group
    starter.process.kill()
    starter.process.wait()
    eventually(lambda: not any(alive(pid) for pid in pids), GRACE_SECONDS + 10)


def test_it_is_the_command_itself_that_is_waited_for_and_signalled() -> None:
    process = lifeline.start(["sh", "-c", "kill -USR1 $$"])
    assert process.wait() == -signal.SIGUSR1
    process = lifeline.start(["sleep", "600"])
    process.terminate()
    assert process.wait() == -signal.SIGTERM
    assert lifeline.run(["sh", "-c", "exit 3"], check=False).returncode == 3


def test_it_finds_standard_input_empty_and_signals_as_usual() -> None:
    done = lifeline.run(["cat"], capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"")
    piped = ["sh", "-c", "yes | head -1; kill -PIPE $$"]
    done = lifeline.run(piped, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (-signal.SIGPIPE, b"y\n")


def test_a_command_that_does_not_exist_is_one_line() -> None:
    done = lifeline.run(["no-such-command"], capture_output=True, text=True, check=False)
    assert done.returncode == NO_SUCH_COMMAND
    assert done.stderr == "no-such-command: No such file or directory\n"


def test_a_process_can_end_with_an_unaware_parent(tmp_path: Path) -> None:
    """As with a command of make."""
    code = "import time; from eventbus.running import lifeline; lifeline.end_with_parent(); "
    code += f"open({str(tmp_path / 'pid')!r}, 'w').write('there'); time.sleep(600)"
    shell = f'"{sys.executable}" -c "$CODE" & echo $! > {tmp_path}/child; wait'
    parent = lifeline.start(["sh", "-c", shell], env={**os.environ, "CODE": code})
    eventually((tmp_path / "pid").exists)
    child = int((tmp_path / "child").read_text())
    assert alive(child)
    parent.kill()
    parent.wait()
    eventually(lambda: not alive(child))
