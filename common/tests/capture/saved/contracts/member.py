# Written by manage.py write_contracts. Change the declaration and run it again.
"""The events of member: each change of a member."""

from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from eventbus.events import Contract, event

TOPIC = "saved.events"


class Member(Contract, frozen=True, kw_only=True):
    """A member."""

    number: UUID
    name: str
    country: str
    born_in: str | None

    @property
    def subject(self) -> str:
        return str(self.number)


class MemberPrevious(Struct, frozen=True, kw_only=True):
    """The old values of the fields that an update changed; the others are left out."""

    name: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    born_in: str | None | UnsetType = UNSET


@event("member.created", topic=TOPIC)
class MemberCreated(Member, frozen=True, kw_only=True):
    """A member was created."""


@event("member.updated", topic=TOPIC)
class MemberUpdated(Member, frozen=True, kw_only=True):
    """A member was changed; ``data`` has the new values."""

    previous: MemberPrevious


@event("member.deleted", topic=TOPIC, is_last=True)
class MemberDeleted(Member, frozen=True, kw_only=True):
    """A member was deleted; ``data`` is its last state."""


@event("member.snapshot", topic=TOPIC)
class MemberSnapshot(Member, frozen=True, kw_only=True):
    """A member as it is, whatever was published before."""
