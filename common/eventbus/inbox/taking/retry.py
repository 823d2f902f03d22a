"""How often a failing event is tried, and how long it waits in between."""

import random
from dataclasses import dataclass
from datetime import timedelta

from eventbus.events import EventError

MOST_DOUBLINGS = 1_000  # of a float


@dataclass(frozen=True, kw_only=True)
class Retry:
    """What a handler asks for: ``@subscribe(ProductUpdated, retry=Retry(attempts=5))``.

    :param attempts: how often an event is tried in all; 1 never tries again.
    :param backoff: seconds before the second try; each later wait is twice as long.
    :param max_backoff: seconds that no wait exceeds.
    :param jitter: shorten each wait by up to a half, at random, so that events which failed
        together are not tried together.
    :param on: the errors that are tried again; any other one is final. An event that does not fit
        its contract is final in any case: it will not fit later.
    """

    attempts: int = 8
    backoff: float = 1.0
    max_backoff: float = 600.0
    jitter: bool = True
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"Retry(attempts={self.attempts}): an event is tried once at least")
        if self.backoff < 0 or self.max_backoff < 0:
            raise ValueError("Retry: backoff and max_backoff are seconds, 0 or more")

    def wait(self, attempts: int, error: Exception) -> timedelta | None:
        """How long to wait before the next try; None where there is to be none.

        :param attempts: how often the event was tried, 1 or more.
        :param error: what the last try ended with.
        """
        final = isinstance(error, EventError) or not isinstance(error, self.on)
        if final or attempts >= self.attempts:
            return None
        seconds = min(self.max_backoff, self.backoff * 2.0 ** min(attempts - 1, MOST_DOUBLINGS))
        if self.jitter:
            seconds *= random.uniform(0.5, 1)  # noqa: S311
        return timedelta(seconds=seconds)
