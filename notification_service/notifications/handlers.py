"""What the notification service does with events: it decides who is told. Sending is another's."""

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
    """Bring the replica up to date, and write a delivery for everybody who wants to know."""
    newer = take_newer(events)
    decider.decide([event for event in newer if not isinstance(event.data, ProductSnapshot)])
