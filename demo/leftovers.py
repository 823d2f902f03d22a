"""Which process uses a port, and what an earlier demo left behind, according to /proc."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MARK = "DEMO_SUPERVISOR"
"""The variable with the process id of ``python -m demo``, set for every process of a demo."""
LISTENING = "0A"
"""The state in /proc/net/tcp, see proc_pid_net(5)."""
SHOWN_CHARACTERS = 100


@dataclass(frozen=True)
class Holder:
    """A process that listens on a port.

    :param supervisor: the process id of the demo that started it; None if no demo did.
    """

    pid: int
    command: str
    supervisor: int | None


def holder(port: int) -> Holder | None:
    """The process that listens on a TCP port of this machine.

    :returns: None if unknown: there is no /proc, or the process belongs to another user.
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    pids = [pid for pid in _pids() if sockets and not sockets.isdisjoint(_open_files(pid))]
    if not pids:
        return None
    pid = next((pid for pid in pids if _leads_a_session(pid)), pids[0])
    return Holder(pid, _command(pid), _supervisor(pid))


def is_running(supervisor: int) -> bool:
    """Whether the demo with this process id is still running."""
    return "-m demo" in _command(supervisor)


def left_by(supervisor: int) -> list[int]:
    """The processes of a demo; processes started by these end with them."""
    return sorted(
        pid for pid in _pids() if _leads_a_session(pid) and _supervisor(pid) == supervisor
    )


def _inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for line in _read(PROC / "net" / table).splitlines()[1:]:
            _, local, _, state, *others = line.split()
            if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield others[5]


def _pids() -> Iterator[int]:
    yield from sorted(int(path.name) for path in PROC.glob("[0-9]*"))


def _open_files(pid: int) -> Iterator[str]:
    try:
        for path in (PROC / str(pid) / "fd").iterdir():
            yield os.readlink(path)
    except OSError:
        return


def _supervisor(pid: int) -> int | None:
    for variable in _read(PROC / str(pid) / "environ").split("\0"):
        name, _, value = variable.partition("=")
        if name == MARK and value.isdecimal():
            return int(value)
    return None


def _command(pid: int) -> str:
    words = _read(PROC / str(pid) / "cmdline").replace("\0", " ").strip()
    return words if len(words) <= SHOWN_CHARACTERS else f"{words[:SHOWN_CHARACTERS]}..."


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
