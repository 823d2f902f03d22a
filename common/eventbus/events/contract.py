"""Contract classes, the typed ``data`` of an event type, and their registry."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import msgspec


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the classes in ``common.contracts``: one subclass for each event type.

    A subclass declares the fields of ``data`` and is registered under its type with :func:`event`.
    Consumers ignore unknown fields, so adding an optional field breaks nobody.
    """

    event_type: ClassVar[str]
    """The CloudEvents ``type``, such as ``product.updated``."""
    topic: ClassVar[str]
    """The Kafka topic that carries it, such as ``product.events``."""
    aggregate: ClassVar[str]
    """The kind of object it is about, such as ``product``: the type up to the first dot."""
    major_version: ClassVar[int]
    """The major version of the contract, part of ``dataschema``."""
    example: ClassVar[dict[str, Any]]
    """Sample data for documentation; ``{}`` if none was given."""
    is_last: ClassVar[bool] = False
    """Whether the subject no longer exists after it, as after a deletion."""

    @property
    def subject(self) -> str:
        """The id of the changed object, as text. It is also the partition key."""
        raise TypeError(f"{type(self).__name__} must define subject")

    @property
    def sequence(self) -> int:
        """The number of this change to the subject: 1, 2, 3 and so on."""
        raise TypeError(f"{type(self).__name__} must define sequence")


class AnyEvent(Contract, frozen=True):
    """Subscribes to every event, of known or unknown type: ``@subscribe(AnyEvent)``."""


RESERVED = frozenset(
    {
        "event_type",
        "topic",
        "aggregate",
        "major_version",
        "example",
        "is_last",
        "subject",
        "sequence",
    }
)

C = TypeVar("C", bound=type[Contract])

_contracts: dict[str, type[Contract]] = {}


def event(
    event_type: str,
    *,
    topic: str,
    version: int = 1,
    example: dict[str, Any] | None = None,
    is_last: bool = False,
) -> Callable[[C], C]:
    """Register a contract class under its event type.

    :param event_type: the CloudEvents ``type``: the aggregate, a dot, a verb in the past tense.
    :param topic: the Kafka topic that carries events of this type.
    :param version: the major version; a breaking change needs a new class next to the old one.
    :param example: sample data, shown in documentation.
    :param is_last: whether the subject no longer exists after it. The outbox then remembers the
        sequence, so that a subject recreated under the same id can continue it.
    :raises TypeError: if a field has a name that :class:`Contract` itself uses.
    :raises ValueError: if the type is already registered.
    """

    def enter(contract: C) -> C:
        if taken := RESERVED.intersection(contract.__struct_fields__):
            raise TypeError(f"{contract.__qualname__}: field names {sorted(taken)} are reserved")
        if event_type in _contracts:
            other = _contracts[event_type].__qualname__
            raise ValueError(f"Event type {event_type!r} is already registered by {other}")
        contract.event_type = event_type
        contract.topic = topic
        contract.aggregate = event_type.partition(".")[0]
        contract.major_version = version
        contract.example = example or {}
        contract.is_last = is_last
        _contracts[event_type] = contract
        return contract

    return enter


def contract_of(event_type: str) -> type[Contract] | None:
    """The contract class of an event type, or None if no imported module defines one."""
    return _contracts.get(event_type)


def contracts() -> list[type[Contract]]:
    """All imported contract classes, sorted by event type."""
    return [contract for _, contract in sorted(_contracts.items())]


def topics() -> list[str]:
    """The topics of all imported contract classes, sorted."""
    return sorted({contract.topic for contract in _contracts.values()})
