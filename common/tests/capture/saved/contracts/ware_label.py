# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of ware_label: each change of a ware-label relationship."""

from msgspec import UNSET, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class WareLabel(Contract, frozen=True, kw_only=True):
    """A ware-label relationship."""

    id: int
    ware: int
    label: int

    @property
    def subject(self) -> str:
        return str(self.id)


class WareLabelPrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    ware: int | UnsetType = UNSET
    label: int | UnsetType = UNSET


@event("ware_label.created", topic=TOPIC)
class WareLabelCreated(WareLabel, frozen=True, kw_only=True):
    """A ware-label relationship was created."""


@event("ware_label.updated", topic=TOPIC)
class WareLabelUpdated(WareLabel, frozen=True, kw_only=True):
    """A ware-label relationship was changed; ``data`` has the new values."""

    previous: WareLabelPrevious


@event("ware_label.deleted", topic=TOPIC, is_last=True)
class WareLabelDeleted(WareLabel, frozen=True, kw_only=True):
    """A ware-label relationship was deleted; ``data`` is its last state."""


@event("ware_label.snapshot", topic=TOPIC)
class WareLabelSnapshot(WareLabel, frozen=True, kw_only=True):
    """A ware-label relationship as it is, whatever was published before."""
