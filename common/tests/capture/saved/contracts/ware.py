# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of ware: each change of a ware."""

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class Ware(Contract, frozen=True, kw_only=True):
    """A ware."""

    id: int
    sku: str
    name: str
    price: Decimal
    amount: int
    shelf: int | None
    extra: Any

    @property
    def subject(self) -> str:
        return str(self.id)


class WarePrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    sku: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    amount: int | UnsetType = UNSET
    shelf: int | None | UnsetType = UNSET
    extra: Any | UnsetType = UNSET


@event("ware.created", topic=TOPIC)
class WareCreated(Ware, frozen=True, kw_only=True):
    """A ware was created."""


@event("ware.updated", topic=TOPIC)
class WareUpdated(Ware, frozen=True, kw_only=True):
    """A ware was changed; ``data`` has the new values."""

    previous: WarePrevious


@event("ware.deleted", topic=TOPIC, is_last=True)
class WareDeleted(Ware, frozen=True, kw_only=True):
    """A ware was deleted; ``data`` is its last state."""


@event("ware.snapshot", topic=TOPIC)
class WareSnapshot(Ware, frozen=True, kw_only=True):
    """A ware as it is, whatever was published before."""
