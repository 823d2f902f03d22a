"""The outcome of processing messages, which the worker counts."""

from dataclasses import dataclass, field

from eventbus.inbox.taking.message import Message


@dataclass
class Outcome:
    """The outcome of processing messages. A parked message failed, or waits behind one that did.

    A message is in both lists if an isolated handler failed or waits while others succeeded.
    """

    handled: list[Message] = field(default_factory=list)
    parked: list[Message] = field(default_factory=list)
    failures: int = 0
