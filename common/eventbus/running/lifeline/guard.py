"""Becomes a command, and leaves behind a watcher that stops it when its starter dies.

    python -I -S guard.py WORD ...

The package starts it with a pipe as standard input, of which only the starter holds the write end.
When that pipe closes, the watcher sends the command's process group SIGTERM and, after a grace
period, SIGKILL.

The watcher is a separate process, so that any program can be guarded, even one that hangs. It runs
in its own session, out of reach of signals to the command's group. A second pipe, inherited by the
command and its descendants, shows when all of them have ended.
"""

import os
import select
import signal
import sys

GRACE_SECONDS = 10.0
"""How long the command may take to stop on SIGTERM."""
NO_SUCH_COMMAND = 127


def main(words: list[str]) -> None:
    group = os.getpid()
    starter = os.dup(0)
    ended, alive = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        # Forked twice, so that the watcher is not a child that the command could wait for.
        if os.fork() == 0:
            os.close(alive)
            watch(group, starter, ended)
        os._exit(0)
    os.waitpid(child, 0)
    become(words, alive)


def watch(group: int, starter: int, ended: int) -> None:
    """End the group when the starter dies, unless the group ends first.

    :param group: the process group of the command.
    :param starter: descriptor that becomes readable when the starter has died.
    :param ended: descriptor that becomes readable when the command and its descendants have ended.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    hold_nothing_but_null((0, 1, 2))
    dead, _, _ = select.select([starter, ended], [], [])
    if starter in dead:
        send(group, signal.SIGTERM)
        select.select([ended], [], [], GRACE_SECONDS)
        send(group, signal.SIGKILL)


def become(words: list[str], alive: int) -> None:
    """Replace this process with the command, which runs as if started directly."""
    os.set_inheritable(alive, True)
    hold_nothing_but_null((0,))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by Python, and exec keeps that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)  # noqa: S606  the starter's own command line
    except OSError as error:
        os.write(2, f"{words[0]}: {error.strerror}\n".encode())
        os._exit(NO_SUCH_COMMAND)


def hold_nothing_but_null(descriptors: tuple[int, ...]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def send(group: int, number: signal.Signals) -> None:
    try:  # noqa: SIM105  contextlib is slow to import
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # all have ended; macOS denies permission if only zombies remain


if __name__ == "__main__":
    main(sys.argv[1:])
