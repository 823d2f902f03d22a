"""The events that the product service publishes about its products."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "product.events"
EXAMPLE = {
    "id": 17,
    "sku": "KETTLE-1",
    "name": "Kettle",
    "description": "Holds 1.7 litres.",
    "category": "kitchen",
    "price": "24.90",
    "currency": "EUR",
    "stock": 12,
    "is_active": True,
    "version": 1,
    "created_at": "2026-11-01T09:30:00Z",
    "updated_at": "2026-11-01T09:30:00Z",
}
MOST_DIGITS = 20
MOST_DECIMALS = 30
"""Limits of an amount: more than any price needs, yet safe to store, compare and format."""
MOST = 2**63 - 1
"""The largest integer that databases store."""

CHANGED = {**EXAMPLE, "price": "19.90", "version": 2, "updated_at": "2026-11-02T16:05:00Z"}


class Product(Contract, frozen=True, kw_only=True):
    """A product, field by field as the API shows it."""

    id: int
    sku: str
    name: str
    description: str
    category: Annotated[str | None, Meta(description="Its slug, which never changes.")]
    price: Decimal
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217.")]
    stock: Annotated[int, Meta(ge=0)]
    is_active: bool
    version: Annotated[int, Meta(ge=1, description="Incremented by one with each event.")]
    created_at: Annotated[datetime, Meta(tz=True)]
    updated_at: Annotated[datetime, Meta(tz=True)]

    def __post_init__(self) -> None:
        check_amount(self.price)
        for name in ("stock", "version"):
            if getattr(self, name) > MOST:
                raise ValueError(f"{name} is more than {MOST}")

    @property
    def subject(self) -> str:
        return str(self.id)

    @property
    def sequence(self) -> int:
        return self.version


class PreviousValues(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; other fields are omitted."""

    sku: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    category: str | None | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    stock: int | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.price is not UNSET:
            check_amount(self.price)


def check_amount(amount: Decimal) -> None:
    """Validate that an amount is a number that can be stored and formatted.

    :raises ValueError: for NaN, infinity, and numbers such as 1E+1000000, which the type allows.
    """
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{amount} is not an amount")
    if amount.adjusted() >= MOST_DIGITS or exponent < -MOST_DECIMALS:
        raise ValueError(
            f"an amount may have {MOST_DIGITS} digits and {MOST_DECIMALS} decimal places at most"
        )


@event("product.created", topic=TOPIC, example=EXAMPLE)
class ProductCreated(Product, frozen=True, kw_only=True):
    """A product was created."""


@event("product.updated", topic=TOPIC, example={**CHANGED, "previous": {"price": "24.90"}})
class ProductUpdated(Product, frozen=True, kw_only=True):
    """A product was updated: ``data`` is the product after the change."""

    previous: PreviousValues


@event("product.deleted", topic=TOPIC, example=CHANGED, is_last=True)
class ProductDeleted(Product, frozen=True, kw_only=True):
    """A product was deleted: ``data`` is its last state."""

    @property
    def sequence(self) -> int:
        """One more than the last version, since the deletion is a change too."""
        return self.version + 1


@event("product.snapshot", topic=TOPIC, example=CHANGED)
class ProductSnapshot(Product, frozen=True, kw_only=True):
    """The current state of a product: for new consumers, after lost events, and after raw SQL.

    It counts as a change, so its ``sequence`` is higher than that of any earlier event. It replaces
    everything that a consumer knows about the product.
    """
