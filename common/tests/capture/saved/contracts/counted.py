# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of counted: each change of a counted."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class Counted(Contract, frozen=True, kw_only=True):
    """A counted."""

    id: int
    sku: str
    name: str
    price: Decimal
    amount: int
    shelf: str | None
    version: Annotated[int, Meta(ge=0)]
    changed_at: Annotated[datetime, Meta(tz=True)] | None

    @property
    def subject(self) -> str:
        return str(self.id)

    @property
    def sequence(self) -> int:
        return self.version


class CountedPrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    sku: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    amount: int | UnsetType = UNSET
    shelf: str | None | UnsetType = UNSET


@event("counted.created", topic=TOPIC)
class CountedCreated(Counted, frozen=True, kw_only=True):
    """A counted was created."""


@event("counted.updated", topic=TOPIC)
class CountedUpdated(Counted, frozen=True, kw_only=True):
    """A counted was changed; ``data`` has the new values."""

    previous: CountedPrevious


@event("counted.deleted", topic=TOPIC, is_last=True)
class CountedDeleted(Counted, frozen=True, kw_only=True):
    """A counted was deleted; ``data`` is its last state."""

    @property
    def sequence(self) -> int:
        """One past the last change: the deletion is a change too."""
        return self.version + 1


@event("counted.snapshot", topic=TOPIC)
class CountedSnapshot(Counted, frozen=True, kw_only=True):
    """A counted as it is, whatever was published before."""
