"""What can come of sending a message."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Sent:
    """The receiver has it.

    :param answer: what it said.
    """

    answer: str


@dataclass(frozen=True)
class NotSent:
    """It may be tried again.

    :param reason: what came back.
    :param not_before: when the receiver asked to be tried again, if it did.
    """

    reason: str
    not_before: datetime | None = None


@dataclass(frozen=True)
class Refused:
    """This one cannot be sent, now or later; that says nothing of others on the same way."""

    reason: str


@dataclass(frozen=True)
class NotWanted:
    """Nobody waits for it any more."""

    reason: str


SendOutcome = Sent | NotSent | Refused | NotWanted
