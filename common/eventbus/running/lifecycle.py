"""The life of a command that runs for years: it waits for what it needs, and stops when asked."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue
from types import FrameType

import structlog
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import InterfaceError, OperationalError

from eventbus.database.alias import bus_connection
from eventbus.running import terminal

log = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS = 1.0

ENDED, REFUSED, OUT_OF_MEMORY = 0, 2, 3
"""Exit codes: as asked; wrong option, setting or log-in; ``--max-memory-per-child`` reached.

1 is any other error, 128 and the number of the signal a second signal.
"""


def stop_on_signals(cold: Callable[[], None] = lambda: None) -> threading.Event:
    """An event that is set by the first SIGTERM or SIGINT; the second ends the process at once.

    The exit code is then 128 and the number of the signal, as shells have it. A terminal that
    closes (SIGHUP) sets the event too, and never counts as the second: one that closes may send
    it twice.

    :param cold: called before that, from the signal handler.

    A thread of its own sets it. ``Event.set()`` takes a lock that the interrupted code may hold,
    in the middle of ``Event.wait()``; a SimpleQueue may be put to from a signal handler.
    """
    stop = threading.Event()
    signals: SimpleQueue[int] = SimpleQueue()
    first = iter([True])

    def handle(signum: int, frame: FrameType | None) -> None:
        if not next(first, False):
            cold()
            with suppress(OSError):  # nobody may be reading it any more
                os.write(sys.stderr.fileno(), b"Stopped at once, at the second signal.\n")
            os._exit(128 + signum)
        signals.put(signum)

    def set_when_asked() -> None:
        signals.get()
        log.info("stopping after what is under way; a second signal stops at once")
        stop.set()

    threading.Thread(target=set_when_asked, name="stop-on-signals", daemon=True).start()
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    terminal.when_it_closes(lambda: signals.put(signal.SIGHUP))
    return stop


def wait_until_ready(missing: Callable[[], str], stop: threading.Event) -> bool:
    """Ask once a second what is missing, until nothing is; log each new answer once.

    :param missing: says what is missing and what to do about it; empty when all is there.
    :param stop: ends the waiting.
    :returns: False when told to stop before all was there.
    """
    said = ""
    while not stop.is_set():
        answer = missing()
        if not answer:
            return True
        if answer != said:
            said = answer
            log.warning("waiting", reason=answer)
        stop.wait(ASK_AGAIN_SECONDS)
    return False


def missing_migrations(apps: Iterable[str]) -> str:
    """What keeps the tables of some apps from being used; empty when they are there, up to date.

    :param apps: their labels. Migrations of other apps are waited for only where these need them.
    """
    connection = bus_connection()
    try:
        executor = MigrationExecutor(connection)
        graph = executor.loader.graph
        plan = executor.migration_plan([leaf for app in apps for leaf in graph.leaf_nodes(app)])
    except (OperationalError, InterfaceError) as error:
        connection.close()
        return f"the database is away: {' '.join(str(error).split())}"
    if plan:
        names = ", ".join(sorted({migration.app_label for migration, _ in plan}))
        return f"the database lacks migrations of {names}; the command migrate applies them"
    return ""
