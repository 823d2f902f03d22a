"""Django signals of the worker, for those who count or report.

Each has the keyword arguments ``consumer``, the consumer group, ``event``, ``place``, where it
lies in Kafka, and ``line``: the isolated handler in whose line of retries it happens, or an empty
text. All but the first are sent when the transaction that they tell of has ended, so a
receiver changes nothing about it; what a receiver raises goes to Django's log. ``sender`` is the
class :class:`~eventbus.inbox.taking.message.Message`. :data:`events_lost` differs, as there is no
event.
"""

from collections.abc import Iterable
from typing import Any

from django.dispatch import Signal

from eventbus.events import Place
from eventbus.inbox.taking.failures import Failure
from eventbus.inbox.taking.message import Message

event_received = Signal()
"""An event is about to be handed to the handlers. Sent again when it is tried again."""

event_handled = Signal()
"""An event was handled, and what the handlers wrote is committed.

Where an isolated handler failed alone, ``event_failed`` and ``event_parked`` tell of that.
"""

event_failed = Signal()
"""A try failed and was rolled back. Also has ``exception`` and ``handler``, its dotted name."""

event_parked = Signal()
"""A message was parked. ``event`` is None where the bytes are no event."""

events_lost = Signal()
"""Kafka deleted messages before this service read them. Sent once for each such gap, when it is
stored, by the worker that noticed. ``event`` is None, ``place`` is the first that is lost, and
``count`` is how many offsets are."""


def send(
    signal: Signal, consumer: str, messages: Iterable[Message], *, line: str = "", **values: Any
) -> None:
    """Tell those who listen; where nobody does, it costs nothing."""
    if not signal.has_listeners(Message):
        return
    for message in messages:
        event = message.event() if message.envelope else None
        about = {"event": event, "place": message.place, "line": line}
        signal.send_robust(Message, consumer=consumer, **about, **values)


def failed(consumer: str, message: Message, failure: Failure, line: str) -> None:
    """Tell those who listen that a try failed."""
    what = {"exception": failure.error, "handler": failure.handler}
    send(event_failed, consumer, [message], line=line, **what)


def lost(consumer: str, place: Place, count: int) -> None:
    """Tell those who listen that messages are lost."""
    events_lost.send_robust(Message, consumer=consumer, event=None, place=place, count=count)
