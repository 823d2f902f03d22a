# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of remark: each change of a remark."""

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class Remark(Contract, frozen=True, kw_only=True):
    """A remark."""

    id: UUID
    about: str
    object_id: Annotated[int, Meta(ge=0)]
    text: str

    @property
    def subject(self) -> str:
        return str(self.id)


class RemarkPrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    about: str | UnsetType = UNSET
    object_id: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    text: str | UnsetType = UNSET


@event("remark.created", topic=TOPIC)
class RemarkCreated(Remark, frozen=True, kw_only=True):
    """A remark was created."""


@event("remark.updated", topic=TOPIC)
class RemarkUpdated(Remark, frozen=True, kw_only=True):
    """A remark was changed; ``data`` has the new values."""

    previous: RemarkPrevious


@event("remark.deleted", topic=TOPIC, is_last=True)
class RemarkDeleted(Remark, frozen=True, kw_only=True):
    """A remark was deleted; ``data`` is its last state."""


@event("remark.snapshot", topic=TOPIC)
class RemarkSnapshot(Remark, frozen=True, kw_only=True):
    """A remark as it is, whatever was published before."""
