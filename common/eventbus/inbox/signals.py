"""Django signals of the worker, for metrics and error reporting.

Each has the keyword arguments ``consumer``, the consumer group; ``event``; ``place``, its position
in Kafka; and ``line``, the isolated handler whose line it concerns, or an empty string. All but the
first are sent after their transaction has ended, so receivers cannot affect it; exceptions that
receivers raise go to Django's log. ``sender`` is the class
:class:`~eventbus.inbox.taking.message.Message`. :data:`events_lost` differs, since there is no
event.
"""

from collections.abc import Iterable
from typing import Any

from django.dispatch import Signal

from eventbus.events import Place
from eventbus.inbox.taking.failures import Failure
from eventbus.inbox.taking.message import Message

event_received = Signal()
"""An event is about to be passed to the handlers. Sent again for each retry."""

event_handled = Signal()
"""An event was handled, and the handlers' writes are committed.

If an isolated handler failed on its own, ``event_failed`` and ``event_parked`` report that.
"""

event_failed = Signal()
"""An attempt failed and was rolled back. Adds ``exception`` and ``handler``, a dotted name."""

event_parked = Signal()
"""A message was parked. ``event`` is None if the message is not a valid event."""

events_lost = Signal()
"""Kafka deleted messages before this service read them. Sent once per gap, by the worker that
noticed it, when the gap is recorded. ``event`` is None, ``place`` is the first lost position, and
``count`` is the number of lost offsets."""


def send(
    signal: Signal, consumer: str, messages: Iterable[Message], *, line: str = "", **values: Any
) -> None:
    """Send a signal for each message; without receivers, this costs nothing."""
    if not signal.has_listeners(Message):
        return
    for message in messages:
        event = message.event() if message.envelope else None
        about = {"event": event, "place": message.place, "line": line}
        signal.send_robust(Message, consumer=consumer, **about, **values)


def failed(consumer: str, message: Message, failure: Failure, line: str) -> None:
    """Signal that an attempt failed."""
    what = {"exception": failure.error, "handler": failure.handler}
    send(event_failed, consumer, [message], line=line, **what)


def lost(consumer: str, place: Place, count: int) -> None:
    """Signal that messages are lost."""
    events_lost.send_robust(Message, consumer=consumer, event=None, place=place, count=count)
