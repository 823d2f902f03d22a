"""Contract classes: the typed ``data`` of one event type, and the list of all that are known."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import msgspec


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the classes in ``common.contracts``: one subclass for each event type.

    A subclass declares the fields of ``data`` and is entered under its type with :func:`event`.
    Readers ignore fields that they do not know, so adding an optional field breaks nobody.
    """

    event_type: ClassVar[str]
    """The CloudEvents ``type``, such as ``product.updated``."""
    topic: ClassVar[str]
    """The Kafka topic that carries it."""
    aggregate: ClassVar[str]
    """What kind of thing it is about, such as ``product``: the type up to its first dot."""
    major_version: ClassVar[int]
    """The major version of the contract, part of ``dataschema``."""
    example: ClassVar[dict[str, Any]]
    """Data as it could be, for documents; ``{}`` where none is given."""
    is_last: ClassVar[bool] = False
    """Whether its subject is gone after it, as after a deletion."""

    @property
    def subject(self) -> str:
        """The id of the thing that changed, as text. It is the partition key as well."""
        raise TypeError(f"{type(self).__name__} must define subject")

    @property
    def sequence(self) -> int:
        """The place of this change in the life of its subject: 1, 2, 3 and so on."""
        raise TypeError(f"{type(self).__name__} must define sequence")


class AnyEvent(Contract, frozen=True):
    """Stands for every event, of a known type or not, in ``@subscribe(AnyEvent)``."""


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
    """Enter a contract class under its event type.

    :param event_type: the CloudEvents ``type``: the aggregate, a dot, a verb in the past tense.
    :param topic: the Kafka topic that carries events of this type.
    :param version: the major version; a breaking change is a new class beside the old one.
    :param example: data as it could be, which people see in documents.
    :param is_last: whether the subject is gone after it. The outbox then remembers its sequence,
        so that a subject that is created again under the same id can continue it.
    :raises ValueError: when the type is taken by another class.
    """

    def enter(contract: C) -> C:
        if taken := RESERVED.intersection(contract.__struct_fields__):
            raise TypeError(f"{contract.__qualname__}: fields cannot be named {sorted(taken)}")
        if event_type in _contracts:
            other = _contracts[event_type].__qualname__
            raise ValueError(f"Event type {event_type!r} is taken by {other}")
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
    """The contract class of an event type, or None where no imported module defines one."""
    return _contracts.get(event_type)


def contracts() -> list[type[Contract]]:
    """All contract classes that have been imported, by their event types."""
    return [contract for _, contract in sorted(_contracts.items())]


def topics() -> list[str]:
    """The topics of all contract classes that have been imported, sorted."""
    return sorted({contract.topic for contract in _contracts.values()})
