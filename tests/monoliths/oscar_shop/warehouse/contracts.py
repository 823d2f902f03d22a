from decimal import Decimal

from eventbus.events import Contract, event


@event("order.placed", topic="orders.placed")
class OrderPlaced(Contract, frozen=True, kw_only=True):
    """A customer placed an order."""

    number: str
    total: Decimal

    @property
    def subject(self) -> str:
        return self.number

    @property
    def sequence(self) -> int:
        return 1
