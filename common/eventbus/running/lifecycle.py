"""The lifecycle of a long-running command: wait for dependencies, stop on signals."""

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
"""Exit codes: normal; invalid option, setting or login; ``--max-memory-per-child`` reached.

Any other error exits with 1, a second signal with 128 plus its number.
"""


def stop_on_signals(cold: Callable[[], None] = lambda: None) -> threading.Event:
    """An event that is set by the first SIGTERM or SIGINT; the second exits immediately.

    The exit code is then 128 plus the signal number, as in shells. A closing terminal (SIGHUP)
    sets the event too but never counts as the second signal, since it may be sent twice.

    :param cold: called in the signal handler before the immediate exit.

    A separate thread sets the event: ``Event.set()`` takes a lock that the interrupted code may
    hold inside ``Event.wait()``, while ``SimpleQueue.put()`` is safe in a signal handler.
    """
    stop = threading.Event()
    signals: SimpleQueue[int] = SimpleQueue()
    first = iter([True])

    def handle(signum: int, frame: FrameType | None) -> None:
        if not next(first, False):
            cold()
            with suppress(OSError):  # the reading end may be closed
                os.write(sys.stderr.fileno(), b"Second signal: stopped immediately.\n")
            os._exit(128 + signum)
        signals.put(signum)

    def set_when_asked() -> None:
        signals.get()
        log.info("finishing the work in progress; a second signal stops immediately")
        stop.set()

    threading.Thread(target=set_when_asked, name="stop-on-signals", daemon=True).start()
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    terminal.when_it_closes(lambda: signals.put(signal.SIGHUP))
    return stop


def wait_until_ready(missing: Callable[[], str], stop: threading.Event) -> bool:
    """Check once a second until nothing is missing; log each new answer once.

    :param missing: returns what is missing and what to do about it; empty if nothing is.
    :param stop: ends the wait.
    :returns: False if stopped before everything was ready.
    """
    logged = ""
    while not stop.is_set():
        answer = missing()
        if not answer:
            return True
        if answer != logged:
            logged = answer
            log.warning("waiting", reason=answer)
        stop.wait(ASK_AGAIN_SECONDS)
    return False


def missing_migrations(apps: Iterable[str]) -> str:
    """Why the tables of some apps cannot be used yet; empty if their migrations are applied.

    :param apps: their labels. Migrations of other apps count only if these depend on them.
    """
    connection = bus_connection()
    try:
        executor = MigrationExecutor(connection)
        graph = executor.loader.graph
        plan = executor.migration_plan([leaf for app in apps for leaf in graph.leaf_nodes(app)])
    except (OperationalError, InterfaceError) as error:
        connection.close()
        return f"the database is unavailable: {' '.join(str(error).split())}"
    if plan:
        names = ", ".join(sorted({migration.app_label for migration, _ in plan}))
        return f"the database lacks migrations of {names}; apply them with migrate"
    return ""
