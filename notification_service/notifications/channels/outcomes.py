"""Outcomes of sending a message."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Sent:
    """The receiver accepted the message.

    :param answer: its response.
    """

    answer: str


@dataclass(frozen=True)
class NotSent:
    """Sending failed, and may be retried.

    :param reason: the error or the receiver's response.
    :param not_before: the earliest time of the next attempt, if the receiver asked for one.
    """

    reason: str
    not_before: datetime | None = None


@dataclass(frozen=True)
class Refused:
    """This message can never be sent. Says nothing about other messages of the same lane."""

    reason: str


@dataclass(frozen=True)
class NotWanted:
    """The message is no longer wanted."""

    reason: str


SendOutcome = Sent | NotSent | Refused | NotWanted
