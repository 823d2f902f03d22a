"""Retry policy: how often a failing event is attempted, and the waits in between."""

import random
from dataclasses import dataclass
from datetime import timedelta

from eventbus.events import EventError

MOST_DOUBLINGS = 1_000  # more would overflow a float


@dataclass(frozen=True, kw_only=True)
class Retry:
    """The retry policy of a handler: ``@subscribe(ProductUpdated, retry=Retry(attempts=5))``.

    :param attempts: total number of attempts; 1 never retries.
    :param backoff: seconds before the second attempt; each later wait is twice as long.
    :param max_backoff: upper limit of a wait in seconds.
    :param jitter: randomly shorten each wait by up to half, so that events that failed together are
        not retried together.
    :param on: the errors to retry; all others are final. An event that violates its contract is
        never retried, since it will not change.
    """

    attempts: int = 8
    backoff: float = 1.0
    max_backoff: float = 600.0
    jitter: bool = True
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"Retry(attempts={self.attempts}): attempts must be at least 1")
        if self.backoff < 0 or self.max_backoff < 0:
            raise ValueError("Retry: backoff and max_backoff are seconds and must not be negative")

    def wait(self, attempts: int, error: Exception) -> timedelta | None:
        """The wait before the next attempt; None if there is none.

        :param attempts: number of attempts so far, at least 1.
        :param error: the error of the last attempt.
        """
        final = isinstance(error, EventError) or not isinstance(error, self.on)
        if final or attempts >= self.attempts:
            return None
        seconds = min(self.max_backoff, self.backoff * 2.0 ** min(attempts - 1, MOST_DOUBLINGS))
        if self.jitter:
            seconds *= random.uniform(0.5, 1)  # noqa: S311
        return timedelta(seconds=seconds)
