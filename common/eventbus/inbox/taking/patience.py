"""How long an error that passes is waited for, before it counts against the event."""

import time

from eventbus.database.errors import passes

PATIENCE_SECONDS = 60.0
"""Of failing while the database answers. A failover, or a vacuum that locks, is over by then."""


class Patience:
    """Bounds the waiting for errors that ought to pass, and do not.

    An event may bring about such an error each time it is handled: one that asks for a lock which
    somebody holds for ever, or deadlocks with its own trigger. As long as the database itself does
    not answer, no event is to blame, however long that takes.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._is_used_up = False

    def waits_for(self, error: BaseException) -> bool:
        """Whether an error is to be waited for; if not, it counts against the event."""
        if not passes(error):
            return False
        self._is_used_up = self._since is not None and (
            time.monotonic() - self._since >= PATIENCE_SECONDS
        )
        return not self._is_used_up

    def note_failure(self, *, database_answers: bool) -> None:
        """Somebody waits because of an error that passes."""
        if not database_answers:
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()

    def note_success(self) -> None:
        """The work goes on. Patience that was used up stays so until nothing needs it."""
        if not self._is_used_up:
            self._since = None
        self._is_used_up = False
