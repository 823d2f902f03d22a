from decimal import Decimal

from common.contracts.product import ProductCreated, ProductUpdated
from common.tests.app.models import Written
from eventbus.events import Event
from eventbus.inbox import Retry, subscribe

BROKEN = Decimal(666)
HOPELESS = Decimal(667)
broken_prices = {BROKEN, HOPELESS}

policy = Retry(attempts=4, backoff=10, max_backoff=30, jitter=False, on=(ValueError,))


@subscribe(ProductCreated, ProductUpdated, retry=policy)
def write(event: Event[ProductCreated | ProductUpdated]) -> None:
    """Write a row, and then fail if the product has a broken price."""
    assert event.sequence is not None
    price = event.data.price
    Written.objects.create(subject=event.subject, sequence=event.sequence, price=str(price))
    if price in broken_prices:
        error = LookupError if price == HOPELESS else ValueError
        raise error(f"broken price {price}")
