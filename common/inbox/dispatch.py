"""Handing messages to the handlers that subscribed to them."""

from collections.abc import Sequence
from typing import Any

from common.events import Event
from common.events.context import Context, current, use
from common.inbox.message import Message
from common.inbox.subscriptions import subscriptions


def run_handlers(messages: Sequence[Message]) -> None:
    """Run every handler over its events, in the order of the messages."""
    events = [message.event() for message in messages]
    types = {event.type for event in events}
    for subscription in subscriptions:
        its_types = {event_type for event_type in types if subscription.wants(event_type)}
        wanted = [event for event in events if event.type in its_types]
        if subscription.batch and wanted:
            subscription.handler(wanted)
        elif not subscription.batch:
            for event in wanted:
                with use(_caused_by(event)):
                    subscription.handler(event)


def _caused_by(event: Event[Any]) -> Context:
    """What a handler publishes goes on from the event that it handles."""
    envelope = event.envelope
    actor = envelope.actor or current().actor()
    return Context(
        correlation_id=envelope.correlationid or envelope.id,
        causation_id=envelope.id,
        actor=lambda: actor,
        traceparent=envelope.traceparent,
    )
