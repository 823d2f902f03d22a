"""Failures: the error, and the retry policy of the handler that raised it."""

import traceback
from dataclasses import dataclass, field
from datetime import timedelta

from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.retry import Retry
from eventbus.inbox.taking.subscriptions import HandlerSubscription


class HandlerFailed(Exception):
    """A handler raised an error, which is the cause of this one."""

    def __init__(self, subscription: HandlerSubscription) -> None:
        super().__init__(subscription.name)
        self.subscription = subscription


class RolledBack(RuntimeError):
    """A handler returned, but its transaction can only be rolled back."""


@dataclass(frozen=True)
class Failure:
    """Why an event could not be handled.

    :param error: the error as the handler, the database or the decoder raised it.
    :param retry: the policy of the handler that failed.
    :param handler: its name; empty if no single one is to blame, as when the commit failed.
    """

    error: Exception
    retry: Retry = field(default_factory=Retry)
    handler: str = ""

    @classmethod
    def of(cls, raised: Exception, alone: HandlerSubscription | None = None) -> "Failure":
        """The failure behind an exception raised by ``dispatch.run`` or by the commit.

        :param alone: the handler to blame for a failed commit, if no other one was involved.
        """
        if isinstance(raised, HandlerFailed) and isinstance(raised.__cause__, Exception):
            return cls(raised.__cause__, raised.subscription.retry, raised.subscription.name)
        return cls(raised, alone.retry, alone.name) if alone else cls(raised)

    @classmethod
    def to_read(cls, message: Message) -> "Failure":
        """The failure of a message that is not a valid event."""
        assert message.error is not None  # noqa: S101  checked by callers
        return cls(message.error)

    def wait(self, attempts: int) -> timedelta | None:
        """The wait before the next attempt, after this many; None if there is none."""
        return self.retry.wait(attempts, self.error)

    @property
    def text(self) -> str:
        return storable(f"{type(self.error).__name__}: {self.error}")

    @property
    def traceback(self) -> str:
        return storable("".join(traceback.format_exception(self.error)))


def storable(text: str) -> str:
    """Text that every database can store: NULs and lone surrogates are escaped."""
    return text.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")
