"""Subscriptions: which function handles which events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.apps import apps

from eventbus.conf import bus_settings
from eventbus.events import AnyEvent, Contract
from eventbus.inbox.taking.retry import Retry

Handler = TypeVar("Handler", bound=Callable[..., None])


@dataclass(frozen=True)
class HandlerSubscription:
    """A handler, the contracts it subscribed to, and its retry policy."""

    handler: Callable[[Any], None]
    contracts: tuple[type[Contract], ...]
    batch: bool
    retry: Retry
    isolated: bool = False

    @property
    def name(self) -> str:
        """Module and function, as in ``audit_service.audit.handlers.record``."""
        return f"{self.handler.__module__}.{self.handler.__qualname__}"

    def wants(self, event_type: str) -> bool:
        return any(c is AnyEvent or c.event_type == event_type for c in self.contracts)

    def __str__(self) -> str:
        types = ", ".join("*" if c is AnyEvent else c.event_type for c in self.contracts)
        kinds = ", ".join(kind for kind in ("batch", "isolated") if getattr(self, kind))
        return f"{self.name}{f' ({kinds})' if kinds else ''}  <-  {types}"


subscriptions: list[HandlerSubscription] = []


def subscribe(
    *contracts: type[Contract],
    batch: bool = False,
    isolated: bool = False,
    retry: Retry | None = None,
) -> Callable[[Handler], Handler]:
    """Run the function for each event of these contracts, in the inbox's transaction.

    Handlers succeed or fail together for each event: if one raises, the writes of all are rolled
    back, and the event is parked for all of them. An isolated handler fails on its own: its writes
    are rolled back to a savepoint, the others' writes remain, and the event is parked for this
    handler alone. Later events of the key wait in order for this handler while all others proceed,
    and events parked for the others do not hold it back.

    :param contracts: contract classes, or ``AnyEvent`` for all events, known or unknown.
    :param batch: pass the function a list of events instead of one event. It must publish inside
        :func:`eventbus.inbox.caused_by`.
    :param isolated: let it fail on its own. It cannot rely on what other handlers wrote for the
        same event.
    :param retry: the retry policy; by default :class:`Retry` with its defaults.
    """
    if not contracts:
        raise TypeError("subscribe() requires an event class: @subscribe(ProductUpdated)")

    def enter(handler: Handler) -> Handler:
        subscriptions.append(
            HandlerSubscription(handler, contracts, batch, retry or Retry(), isolated)
        )
        return handler

    return enter


def isolated_names() -> frozenset[str]:
    """The names of the isolated handlers."""
    return frozenset(s.name for s in subscriptions if s.isolated)


def subscription_of(name: str) -> HandlerSubscription | None:
    """The subscription of a handler, by its name, if it exists."""
    return next((s for s in subscriptions if s.name == name), None)


def contract_for(event_type: str) -> type[Contract] | None:
    """The contract class that a subscription declares for this type, if any."""
    for subscription in subscriptions:
        for contract in subscription.contracts:
            if contract is not AnyEvent and contract.event_type == event_type:
                return contract
    return None


def consumed_topics() -> list[str]:
    """The topics to consume: ``CONSUMER_TOPICS``, or else those of the subscribed contracts."""
    if topics := bus_settings().consumer_topics:
        return topics
    contracts = {c for s in subscriptions for c in s.contracts if c is not AnyEvent}
    return sorted({contract.topic for contract in contracts})


def apps_with_handlers() -> list[str]:
    """The labels of the apps that define handlers, sorted."""
    configs = {apps.get_containing_app_config(s.handler.__module__) for s in subscriptions}
    return sorted(config.label for config in configs if config is not None)
