"""Passing events to the handlers that subscribed to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eventbus.database.errors import rollback_only
from eventbus.events import Event
from eventbus.events.context import cause_to_be_said, caused_by
from eventbus.inbox.taking.failures import HandlerFailed, RolledBack
from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.subscriptions import HandlerSubscription, subscriptions


@dataclass
class Handover:
    """A readable message to be passed to the handlers.

    :param apart: names of the handlers that take it separately from the others.
    """

    message: Message
    apart: frozenset[str] = frozenset()

    @cached_property
    def event(self) -> Event[Any]:
        """The event; its data is decoded once for all handlers."""
        return self.message.event()

    def is_shared(self) -> bool:
        """Whether any handler takes it together with the others."""
        return any(s.wants(self.event.type) for s in subscriptions if s.name not in self.apart)


def run_together(handovers: Sequence[Handover]) -> None:
    """Run the handlers that succeed or fail together, in the order of the messages.

    :raises HandlerFailed: if a handler raises.
    """
    for subscription in subscriptions:
        theirs = [h for h in handovers if subscription.name not in h.apart]
        run(subscription, [h.event for h in wanted(subscription, theirs)])


def wanted(subscription: HandlerSubscription, handovers: Iterable[Handover]) -> list[Handover]:
    """The handovers that a handler subscribed to."""
    found = list(handovers)
    types = {h.event.type for h in found}
    its_types = {event_type for event_type in types if subscription.wants(event_type)}
    return [h for h in found if h.event.type in its_types]


def run(subscription: HandlerSubscription, events: Sequence[Event[Any]]) -> None:
    """Run one handler on events that it subscribed to.

    :raises HandlerFailed: if it raises.
    """
    if subscription.batch and events:
        with cause_to_be_said(
            f"{subscription.name} is a batch handler: it must state for which event it publishes, "
            "as in `with caused_by(event): outbox.publish(...)` (from eventbus.inbox)"
        ):
            _call(subscription, list(events))
    elif not subscription.batch:
        for event in events:
            with caused_by(event):
                _call(subscription, event)


def _call(subscription: HandlerSubscription, argument: Any) -> None:
    try:
        subscription.handler(argument)
        if rollback_only():
            raise RolledBack(
                "the handler continued after a database error, so none of its writes can be "
                "committed: wrap statements that may fail in transaction.atomic()"
            )
    except Exception as error:
        raise HandlerFailed(subscription) from error
