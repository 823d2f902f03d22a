"""Which function handles which events."""

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
    """A handler, the contracts that it asked for, and what is done when it fails."""

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

    Handlers share one fate for each event: if one of them raises, what the others wrote for the
    event is rolled back, and the event is parked for all of them. The failure of an isolated
    handler is its own: what it wrote is rolled back to a savepoint, the others' work stays, and the
    event is parked for this handler alone. Later events of the key wait for this handler, in their
    order, while all other handlers go on; and what is parked for the others does not hold it back.

    :param contracts: contract classes, or ``AnyEvent`` for all, known or not.
    :param batch: hand the function a list of events instead of one event. What it publishes, it
        publishes inside :func:`eventbus.inbox.caused_by`.
    :param isolated: let its failure be its own. It cannot count on what other handlers wrote for
        the same event.
    :param retry: what happens when it raises; left out, :class:`Retry` with its defaults.
    """
    if not contracts:
        raise TypeError("subscribe() needs an event class: @subscribe(ProductUpdated)")

    def enter(handler: Handler) -> Handler:
        subscriptions.append(
            HandlerSubscription(handler, contracts, batch, retry or Retry(), isolated)
        )
        return handler

    return enter


def isolated_names() -> frozenset[str]:
    """The names of the handlers whose failure is their own."""
    return frozenset(s.name for s in subscriptions if s.isolated)


def subscription_of(name: str) -> HandlerSubscription | None:
    """The handler of a name, if there is one."""
    return next((s for s in subscriptions if s.name == name), None)


def contract_for(event_type: str) -> type[Contract] | None:
    """The contract class that a subscription names for this type, if one does."""
    for subscription in subscriptions:
        for contract in subscription.contracts:
            if contract is not AnyEvent and contract.event_type == event_type:
                return contract
    return None


def consumed_topics() -> list[str]:
    """The topics that workers read: ``CONSUMER_TOPICS``, else those of the subscribed contracts."""
    if topics := bus_settings().consumer_topics:
        return topics
    contracts = {c for s in subscriptions for c in s.contracts if c is not AnyEvent}
    return sorted({contract.topic for contract in contracts})


def apps_with_handlers() -> list[str]:
    """The labels of the apps whose modules declare handlers, sorted."""
    configs = {apps.get_containing_app_config(s.handler.__module__) for s in subscriptions}
    return sorted(config.label for config in configs if config is not None)
