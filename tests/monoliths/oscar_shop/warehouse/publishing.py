from typing import Any

from eventbus import outbox
from warehouse.contracts import OrderPlaced


def publish_order(instance: Any, created: bool, using: str, **_: Any) -> None:
    """Publish a new order in the transaction of oscar's ``OrderCreator.place_order()``.

    Oscar sends ``order_placed`` after that, and its checkout continues if a receiver fails.
    """
    if created:
        placed = OrderPlaced(number=str(instance.number), total=instance.total_incl_tax)
        outbox.publish(placed, using=using)
