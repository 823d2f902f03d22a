"""An event as a handler receives it."""

from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import msgspec

from eventbus.events.contract import Contract
from eventbus.events.data import plain
from eventbus.events.envelope import Envelope
from eventbus.events.errors import ContractViolation

D = TypeVar("D", bound=Contract)


class Place(NamedTuple):
    """Where a message lies in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Event(Generic[D]):
    """One event: its attributes, its place in Kafka, and its typed ``data``.

    :param envelope: the CloudEvents attributes.
    :param place: where it lies in Kafka.
    :param value: the exact bytes of the Kafka message.
    :param headers: the Kafka headers of the message.
    :param contract: the class that ``data`` is read as; None for a type that nobody subscribed
        to by name, whose data is read as plain dicts and lists.
    :param replayed: whether ``replay_events`` brings it, perhaps not for the first time.
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
        """The id of what changed; empty where the producer names none."""
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
        """The data, read when first asked for.

        :raises ContractViolation: when it does not fit the contract.
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
            return f"it is {self.envelope.datacontenttype}, and not JSON"
        return "" if bytes(self.envelope.data) else "there is none"
