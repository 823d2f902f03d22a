"""Which function handles which events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from common.events import AnyEvent, Contract
from common.inbox.retry import Retry

Handler = TypeVar("Handler", bound=Callable[..., None])


@dataclass(frozen=True)
class Subscription:
    """A handler, the contracts that it asked for, and what is done when it fails."""

    handler: Callable[[Any], None]
    contracts: tuple[type[Contract], ...]
    batch: bool
    retry: Retry

    @property
    def name(self) -> str:
        """Module and function, as in ``audit_service.audit.handlers.record``."""
        return f"{self.handler.__module__}.{self.handler.__qualname__}"

    def wants(self, event_type: str) -> bool:
        return any(c is AnyEvent or c.event_type == event_type for c in self.contracts)

    def __str__(self) -> str:
        types = ", ".join("*" if c is AnyEvent else c.event_type for c in self.contracts)
        return f"{self.name}{' (batch)' if self.batch else ''}  <-  {types}"


subscriptions: list[Subscription] = []


def subscribe(
    *contracts: type[Contract], batch: bool = False, retry: Retry | None = None
) -> Callable[[Handler], Handler]:
    """Run the function for each event of these contracts, in the inbox's transaction.

    :param contracts: contract classes, or ``AnyEvent`` for all, known or not.
    :param batch: hand the function a list of events instead of one event.
    :param retry: what happens when it raises; left out, :class:`Retry` with its defaults.
    """
    if not contracts:
        raise TypeError("subscribe() needs an event class: @subscribe(ProductUpdated)")

    def enter(handler: Handler) -> Handler:
        subscriptions.append(Subscription(handler, contracts, batch, retry or Retry()))
        return handler

    return enter


def contract_for(event_type: str) -> type[Contract] | None:
    """The contract class that a subscription names for this type, if one does."""
    for subscription in subscriptions:
        for contract in subscription.contracts:
            if contract is not AnyEvent and contract.event_type == event_type:
                return contract
    return None


def subscribed_topics() -> list[str]:
    """The topics of all contracts that are subscribed to by name, sorted."""
    contracts = {c for s in subscriptions for c in s.contracts if c is not AnyEvent}
    return sorted({contract.topic for contract in contracts})
