# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of restaurant: each change of a restaurant."""

from msgspec import UNSET, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class Restaurant(Contract, frozen=True, kw_only=True):
    """A restaurant."""

    place_ptr: int
    stars: int

    @property
    def subject(self) -> str:
        return str(self.place_ptr)


class RestaurantPrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    stars: int | UnsetType = UNSET


@event("restaurant.created", topic=TOPIC)
class RestaurantCreated(Restaurant, frozen=True, kw_only=True):
    """A restaurant was created."""


@event("restaurant.updated", topic=TOPIC)
class RestaurantUpdated(Restaurant, frozen=True, kw_only=True):
    """A restaurant was changed; ``data`` has the new values."""

    previous: RestaurantPrevious


@event("restaurant.deleted", topic=TOPIC, is_last=True)
class RestaurantDeleted(Restaurant, frozen=True, kw_only=True):
    """A restaurant was deleted; ``data`` is its last state."""


@event("restaurant.snapshot", topic=TOPIC)
class RestaurantSnapshot(Restaurant, frozen=True, kw_only=True):
    """A restaurant as it is, whatever was published before."""
