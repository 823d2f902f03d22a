"""Handing messages to the handlers that subscribed to them."""

from collections.abc import Sequence
from typing import Any

from common.events import Event
from common.events.context import Context, current, use
from common.inbox.database_errors import passes
from common.inbox.failures import HandlerFailed
from common.inbox.message import Message
from common.inbox.subscriptions import Subscription, subscriptions


def run_handlers(messages: Sequence[Message]) -> None:
    """Run every handler over its events, in the order of the messages.

    :raises HandlerFailed: when a handler raises.
    :raises django.db.Error: when the database is at fault, in a way that passes.
    """
    dispatch([message.event() for message in messages], subscriptions)


def dispatch(events: Sequence[Event[Any]], handlers: Sequence[Subscription]) -> None:
    """Run these handlers over those of the events that they want. It raises as above."""
    types = {event.type for event in events}
    for subscription in handlers:
        its_types = {event_type for event_type in types if subscription.wants(event_type)}
        wanted = [event for event in events if event.type in its_types]
        if subscription.batch and wanted:
            _call(subscription, wanted)
        elif not subscription.batch:
            for event in wanted:
                with use(_caused_by(event)):
                    _call(subscription, event)


def _call(subscription: Subscription, argument: Any) -> None:
    try:
        subscription.handler(argument)
    except Exception as error:
        if passes(error):
            raise
        raise HandlerFailed(subscription) from error


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
