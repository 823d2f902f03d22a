"""Chores: work that the active relay does a piece of while no event waits.

There is one active relay a database, so a chore never runs twice at a time.
"""

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0

Chore = Callable[[], bool]
"""Does one piece, in a transaction of its own; answers whether there is more."""

_chores: dict[Chore, str] = {}


def add_chore(chore: Chore, app_label: str) -> None:
    """Have the relay do a chore. Call it when Django starts.

    :param app_label: the app whose tables it needs.
    """
    _chores[chore] = app_label


def apps_of_chores() -> list[str]:
    """The labels of the apps whose tables the relay needs for its chores."""
    return sorted(set(_chores.values()))


class Chores:
    """The chores of one relay. One that fails is logged, and tried again after a minute."""

    def __init__(self) -> None:
        self._due = dict.fromkeys(_chores, 0.0)

    def do_one(self) -> bool:
        """Do one piece of the first chore that has something to do.

        :returns: whether something was done, so that events may wait now.
        """
        return any(self._do(chore) for chore, due in self._due.items() if time.monotonic() >= due)

    def _do(self, chore: Chore) -> bool:
        try:
            return chore()
        except Exception as error:
            self._due[chore] = time.monotonic() + AGAIN_SECONDS
            log.exception("a chore of the relay failed", reason=" ".join(str(error).split()))
            return False
