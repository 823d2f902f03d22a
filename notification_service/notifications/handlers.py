"""The handler of product events. It decides whom to notify; ``deliver`` sends the messages."""

from common.contracts.product import (
    Product,
    ProductCreated,
    ProductDeleted,
    ProductSnapshot,
    ProductUpdated,
)
from eventbus.events import Event
from eventbus.inbox import subscribe
from notification_service.notifications.deciding.decisions import decider
from notification_service.notifications.deciding.replica import take_newer


@subscribe(ProductCreated, ProductUpdated, ProductDeleted, ProductSnapshot, batch=True)
def notify(events: list[Event[Product]]) -> None:
    """Update the replica, and write a delivery for each subscription that matches."""
    newer = take_newer(events)
    decider.decide([event for event in newer if not isinstance(event.data, ProductSnapshot)])
