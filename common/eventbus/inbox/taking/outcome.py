"""What became of messages: what the worker counts."""

from dataclasses import dataclass, field

from eventbus.inbox.taking.message import Message


@dataclass
class Outcome:
    """What became of messages. A parked one failed, or waits behind one that did.

    Where an isolated handler failed, or waits, and others succeeded, a message is in both lists.
    """

    handled: list[Message] = field(default_factory=list)
    parked: list[Message] = field(default_factory=list)
    failures: int = 0
