# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of country: each change of a country."""

from msgspec import UNSET, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class Country(Contract, frozen=True, kw_only=True):
    """A country."""

    code: str
    name: str

    @property
    def subject(self) -> str:
        return str(self.code)


class CountryPrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    name: str | UnsetType = UNSET


@event("country.created", topic=TOPIC)
class CountryCreated(Country, frozen=True, kw_only=True):
    """A country was created."""


@event("country.updated", topic=TOPIC)
class CountryUpdated(Country, frozen=True, kw_only=True):
    """A country was changed; ``data`` has the new values."""

    previous: CountryPrevious


@event("country.deleted", topic=TOPIC, is_last=True)
class CountryDeleted(Country, frozen=True, kw_only=True):
    """A country was deleted; ``data`` is its last state."""


@event("country.snapshot", topic=TOPIC)
class CountrySnapshot(Country, frozen=True, kw_only=True):
    """A country as it is, whatever was published before."""
