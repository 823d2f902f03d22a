# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of place: each change of a place."""

from msgspec import UNSET, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class Place(Contract, frozen=True, kw_only=True):
    """A place."""

    id: int
    name: str
    city: str

    @property
    def subject(self) -> str:
        return str(self.id)


class PlacePrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    name: str | UnsetType = UNSET
    city: str | UnsetType = UNSET


@event("place.created", topic=TOPIC)
class PlaceCreated(Place, frozen=True, kw_only=True):
    """A place was created."""


@event("place.updated", topic=TOPIC)
class PlaceUpdated(Place, frozen=True, kw_only=True):
    """A place was changed; ``data`` has the new values."""

    previous: PlacePrevious


@event("place.deleted", topic=TOPIC, is_last=True)
class PlaceDeleted(Place, frozen=True, kw_only=True):
    """A place was deleted; ``data`` is its last state."""


@event("place.snapshot", topic=TOPIC)
class PlaceSnapshot(Place, frozen=True, kw_only=True):
    """A place as it is, whatever was published before."""
