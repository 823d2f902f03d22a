"""Which events people are told of, and in what words."""

from decimal import Decimal

from msgspec import UNSET

from common.contracts.product import Product, ProductCreated, ProductDeleted, ProductUpdated
from common.events import Event
from common.inbox import subscribe
from notification_service.notifications.models import Notification

Kind = Notification.Kind


@subscribe(ProductCreated)
def product_created(event: Event[ProductCreated]) -> None:
    product = event.data
    tell(event, Kind.CREATED, f"{product.name} is new, at {product.price} {product.currency}.")


@subscribe(ProductUpdated)
def product_updated(event: Event[ProductUpdated]) -> None:
    product, previous = event.data, event.data.previous
    if previous.price is not UNSET:
        verb = "fell" if product.price < previous.price else "rose"
        tell(
            event,
            Kind.PRICE_CHANGED,
            f"The price of {product.name} {verb} from {previous.price} "
            f"to {product.price} {product.currency}.",
            old_price=previous.price,
            new_price=product.price,
        )
    if previous.stock is not UNSET and product.stock == 0:
        tell(event, Kind.OUT_OF_STOCK, f"{product.name} is out of stock.")
    if previous.stock == 0 and product.stock > 0:
        tell(event, Kind.BACK_IN_STOCK, f"{product.name} is back in stock: {product.stock}.")


@subscribe(ProductDeleted)
def product_deleted(event: Event[ProductDeleted]) -> None:
    tell(event, Kind.DELETED, f"{event.data.name} was deleted.")


def tell(event: Event[Product], kind: Notification.Kind, text: str, **prices: Decimal) -> None:
    """Write a notification; a replay tells nobody twice."""
    if event.replayed and Notification.objects.filter(event_id=event.id, kind=kind).exists():
        return
    Notification.objects.create(
        event_id=event.id, kind=kind, product_id=event.subject, text=text, **prices
    )
