"""The CloudEvents 1.0 envelope as it is on the wire, and the event that a handler receives.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from eventbus.events.contract import Contract
from eventbus.events.data import plain
from eventbus.events.errors import ContractViolation

Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
Moment = Annotated[datetime, Meta(tz=True)]
D = TypeVar("D", bound=Contract)

NO_DATA = msgspec.Raw()
_NUMBER = re.compile(r"-?[0-9]{1,30}", re.ASCII)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of an event, with ``data`` left as the received bytes.

    Data that is not JSON is in ``data_base64``, whichever mode the message used.

    ``consumergroup`` is an extension of this library: the one group that an event is addressed to.

    Attributes that are not declared here are ignored: whoever needs them has the exact bytes of
    the message, as in the audit service.
    """

    specversion: Literal["1.0"]
    id: Identifier
    source: Identifier
    type: Identifier
    subject: Identifier | None = None
    time: Moment | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    partitionkey: Identifier | None = None
    sequence: int | str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    actor: str | None = None
    traceparent: str | None = None
    consumergroup: Identifier | None = None
    data: msgspec.Raw = NO_DATA
    data_base64: str | None = None

    def is_for(self, group: str) -> bool:
        """Whether a consumer group is to handle it: it is addressed to that group, or to all."""
        return self.consumergroup is None or self.consumergroup == group

    @property
    def sequence_number(self) -> int | None:
        """``sequence`` as a number; other producers may write it as text or omit it.

        None if it is not a number or does not fit a 64-bit column.
        """
        if isinstance(self.sequence, str) and not _NUMBER.fullmatch(self.sequence):
            return None
        if self.sequence is None:
            return None
        number = int(self.sequence)
        return number if -(2**63) <= number < 2**63 else None


class Place(NamedTuple):
    """The position of a message in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Event(Generic[D]):
    """One event: its attributes, its position in Kafka, and its typed ``data``.

    :param envelope: the CloudEvents attributes.
    :param place: its position in Kafka.
    :param value: the exact bytes of the Kafka message.
    :param headers: the Kafka headers of the message.
    :param contract: the class that ``data`` is decoded into; None for a type that nobody subscribed
        to by name, whose data is decoded into plain dicts and lists.
    :param replayed: whether it comes from ``replay_events``, and so may have been handled before.
    """

    envelope: Envelope
    place: Place
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    contract: type[D] | None = None
    replayed: bool = False

    @property
    def id(self) -> str:
        return self.envelope.id

    @property
    def source(self) -> str:
        return self.envelope.source

    @property
    def type(self) -> str:
        return self.envelope.type

    @property
    def subject(self) -> str:
        """The id of the changed object; empty if the producer names none."""
        return self.envelope.subject or ""

    @property
    def sequence(self) -> int | None:
        return self.envelope.sequence_number

    @property
    def time(self) -> datetime | None:
        return self.envelope.time

    @property
    def actor(self) -> str:
        return self.envelope.actor or ""

    @cached_property
    def data(self) -> D:
        """The data, decoded on first access.

        :raises ContractViolation: if it does not match the contract.
        """
        if self.contract is None:
            return self._plain_data()  # type: ignore[return-value]
        try:
            return msgspec.json.decode(self.envelope.data, type=self.contract)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = self._why_no_json() or error
            raise ContractViolation(f"data of {self.type} {self.id}: {reason}") from error

    def _plain_data(self) -> object:
        if self.envelope.data_base64 is not None:
            return b64decode(self.envelope.data_base64)
        if not bytes(self.envelope.data):
            return None
        try:
            return plain(self.envelope.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ContractViolation(f"data of {self.type} {self.id}: {error}") from error

    def _why_no_json(self) -> str:
        if self.envelope.data_base64 is not None:
            return f"it is {self.envelope.datacontenttype}, not JSON"
        return "" if bytes(self.envelope.data) else "the event has no data"
