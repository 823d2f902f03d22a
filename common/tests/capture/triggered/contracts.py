"""What the models of these tests publish."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "triggered.events"
Moment = Annotated[datetime, Meta(tz=True)]


class Item(Contract, frozen=True, kw_only=True):
    id: int
    sku: str
    name: str
    price: Decimal
    amount: int
    shelf: str | None
    version: int
    changed_at: Moment

    @property
    def subject(self) -> str:
        return str(self.id)

    @property
    def sequence(self) -> int:
        return self.version


class ItemPrevious(Struct, frozen=True, kw_only=True):
    sku: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    amount: int | UnsetType = UNSET
    shelf: str | None | UnsetType = UNSET


@event("item.created", topic=TOPIC)
class ItemCreated(Item, frozen=True, kw_only=True):
    """It is new."""


@event("item.updated", topic=TOPIC)
class ItemUpdated(Item, frozen=True, kw_only=True):
    """It changed."""

    previous: ItemPrevious


@event("item.deleted", topic=TOPIC, is_last=True)
class ItemDeleted(Item, frozen=True, kw_only=True):
    """It is gone."""

    @property
    def sequence(self) -> int:
        return self.version + 1


@event("item.snapshot", topic=TOPIC)
class ItemSnapshot(Item, frozen=True, kw_only=True):
    """As it is."""


class Piece(Contract, frozen=True, kw_only=True):
    id: int
    sku: str
    name: str
    price: Decimal
    amount: int
    shelf: str | None

    @property
    def subject(self) -> str:
        return str(self.id)


@event("piece.created", topic=TOPIC)
class PieceCreated(Piece, frozen=True, kw_only=True):
    """It is new."""


@event("piece.updated", topic=TOPIC)
class PieceUpdated(Piece, frozen=True, kw_only=True):
    """It changed."""

    previous: ItemPrevious


@event("piece.deleted", topic=TOPIC)
class PieceDeleted(Piece, frozen=True, kw_only=True):
    """It is gone."""


@event("piece.snapshot", topic=TOPIC)
class PieceSnapshot(Piece, frozen=True, kw_only=True):
    """As it is."""


class Thing(Contract, frozen=True, kw_only=True):
    code: UUID
    text: str
    count: Annotated[int, Meta(ge=0)] | None
    flag: bool
    price: Decimal | None
    ratio: float | None
    day: date | None
    moment: Moment | None
    hour: time | None
    length: timedelta | None
    other: UUID | None
    extra: Any
    raw: bytes | None
    address: str | None
    picture: str
    about: str | None
    shelf: int | None
    slug: str | None

    @property
    def subject(self) -> str:
        return str(self.code)


class ThingPrevious(Struct, frozen=True, kw_only=True):
    text: str | UnsetType = UNSET
    count: Annotated[int, Meta(ge=0)] | None | UnsetType = UNSET
    flag: bool | UnsetType = UNSET
    price: Decimal | None | UnsetType = UNSET
    ratio: float | None | UnsetType = UNSET
    day: date | None | UnsetType = UNSET
    moment: Moment | None | UnsetType = UNSET
    hour: time | None | UnsetType = UNSET
    length: timedelta | None | UnsetType = UNSET
    other: UUID | None | UnsetType = UNSET
    extra: Any = UNSET
    raw: bytes | None | UnsetType = UNSET
    address: str | None | UnsetType = UNSET
    picture: str | UnsetType = UNSET
    about: str | None | UnsetType = UNSET
    shelf: int | None | UnsetType = UNSET
    slug: str | None | UnsetType = UNSET


@event("thing.created", topic=TOPIC)
class ThingCreated(Thing, frozen=True, kw_only=True):
    """It is new."""


@event("thing.updated", topic=TOPIC, version=2)
class ThingUpdated(Thing, frozen=True, kw_only=True):
    """It changed."""

    previous: ThingPrevious


@event("thing.deleted", topic=TOPIC)
class ThingDeleted(Thing, frozen=True, kw_only=True):
    """It is gone."""


@event("thing.snapshot", topic=TOPIC)
class ThingSnapshot(Thing, frozen=True, kw_only=True):
    """As it is."""


class ItemTag(Contract, frozen=True, kw_only=True):
    id: int
    item: int
    tag: int

    @property
    def subject(self) -> str:
        return str(self.id)


class ItemTagPrevious(Struct, frozen=True, kw_only=True):
    item: int | UnsetType = UNSET
    tag: int | UnsetType = UNSET


@event("item_tag.created", topic=TOPIC)
class ItemTagCreated(ItemTag, frozen=True, kw_only=True):
    """It is new."""


@event("item_tag.updated", topic=TOPIC)
class ItemTagUpdated(ItemTag, frozen=True, kw_only=True):
    """It changed."""

    previous: ItemTagPrevious


@event("item_tag.deleted", topic=TOPIC)
class ItemTagDeleted(ItemTag, frozen=True, kw_only=True):
    """It is gone."""


@event("item_tag.snapshot", topic=TOPIC)
class ItemTagSnapshot(ItemTag, frozen=True, kw_only=True):
    """As it is."""


class Line(Contract, frozen=True, kw_only=True):
    id: int
    item: int
    quoted: str

    @property
    def subject(self) -> str:
        return str(self.id)


class LinePrevious(Struct, frozen=True, kw_only=True):
    item: int | UnsetType = UNSET
    quoted: str | UnsetType = UNSET


@event("line.created", topic=TOPIC)
class LineCreated(Line, frozen=True, kw_only=True):
    """It is new."""


@event("line.updated", topic=TOPIC)
class LineUpdated(Line, frozen=True, kw_only=True):
    """It changed."""

    previous: LinePrevious


@event("line.deleted", topic=TOPIC)
class LineDeleted(Line, frozen=True, kw_only=True):
    """It is gone."""


@event("line.snapshot", topic=TOPIC)
class LineSnapshot(Line, frozen=True, kw_only=True):
    """As it is."""


class Grid(Contract, frozen=True, kw_only=True):
    id: int
    numbers: list[int]
    names: list[str] | None
    prices: list[list[Decimal]]

    @property
    def subject(self) -> str:
        return str(self.id)


class GridPrevious(Struct, frozen=True, kw_only=True):
    numbers: list[int] | UnsetType = UNSET
    names: list[str] | None | UnsetType = UNSET
    prices: list[list[Decimal]] | UnsetType = UNSET


@event("grid.created", topic=TOPIC)
class GridCreated(Grid, frozen=True, kw_only=True):
    """It is new."""


@event("grid.updated", topic=TOPIC)
class GridUpdated(Grid, frozen=True, kw_only=True):
    """It changed."""

    previous: GridPrevious


@event("grid.deleted", topic=TOPIC)
class GridDeleted(Grid, frozen=True, kw_only=True):
    """It is gone."""


@event("grid.snapshot", topic=TOPIC)
class GridSnapshot(Grid, frozen=True, kw_only=True):
    """As it is."""
