"""How long to wait out a transient error before it counts against the event."""

import time

from eventbus.database.errors import passes

PATIENCE_SECONDS = 60.0
"""How long errors may last while the database answers. Failovers and locks are over by then."""


class Patience:
    """Bounds the wait for supposedly transient errors that do not go away.

    An event may cause such an error each time it is handled, for example by requesting a lock that
    is held forever, or by deadlocking with its own trigger. While the database itself does not
    answer, no event is to blame, however long that lasts.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._is_used_up = False

    def waits_for(self, error: BaseException) -> bool:
        """Whether to wait out an error; if not, it counts against the event."""
        if not passes(error):
            return False
        self._is_used_up = self._since is not None and (
            time.monotonic() - self._since >= PATIENCE_SECONDS
        )
        return not self._is_used_up

    def note_failure(self, *, database_answers: bool) -> None:
        """Record that work is waiting because of a transient error."""
        if not database_answers:
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()

    def note_success(self) -> None:
        """Record progress. Exhausted patience returns only after a step without such errors."""
        if not self._is_used_up:
            self._since = None
        self._is_used_up = False
