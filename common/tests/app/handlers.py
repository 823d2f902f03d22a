from decimal import Decimal

from common.contracts.product import ProductCreated, ProductUpdated
from common.events import Event
from common.inbox import subscribe
from common.tests.app.models import Written

BROKEN = Decimal(666)
broken_prices = {BROKEN}


@subscribe(ProductCreated, ProductUpdated)
def write(event: Event[ProductCreated | ProductUpdated]) -> None:
    """Write a row, and only then fail for a product of a broken price."""
    price = event.data.price
    Written.objects.create(subject=event.subject, sequence=event.sequence, price=str(price))
    if price in broken_prices:
        raise ValueError(f"cannot stand the price {price}")
