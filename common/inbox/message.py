"""A Kafka message on its way through the inbox: its bytes, and what could be read of them."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from common.events import Envelope, Event, InvalidEvent, Place, decode
from common.inbox.subscriptions import contract_for


@dataclass(frozen=True)
class Message:
    """One message as it lies in Kafka."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def of(cls, record: Any) -> "Message":
        """From a kafka-python ConsumerRecord."""
        place = Place(record.topic, record.partition, record.offset)
        return cls(place, record.key, record.value, tuple(record.headers))

    @cached_property
    def _read(self) -> tuple[Envelope | None, InvalidEvent | None]:
        try:
            return decode(self.value, self.headers), None
        except InvalidEvent as error:
            return None, error

    @property
    def envelope(self) -> Envelope | None:
        return self._read[0]

    @property
    def error(self) -> InvalidEvent | None:
        """Why it cannot be read, or None."""
        return self._read[1]

    @property
    def identity(self) -> tuple[str, str]:
        """Event id and source. Unreadable bytes are known by their place and their digest."""
        if self.envelope:
            return self.envelope.id, self.envelope.source
        digest = hashlib.sha256(self.value or b"").hexdigest()
        return digest, "kafka:{}/{}/{}".format(*self.place)

    @property
    def held_key(self) -> str:
        """What later events wait behind if this one fails; empty for what has no order.

        What is no event has no place in the order of a product, so it holds nobody back.
        """
        if not self.envelope:
            return ""
        text = (self.key or b"").decode(errors="backslashreplace").replace("\x00", "\\x00")
        return (text or self.envelope.partitionkey or "")[:255]

    def event(self) -> Event[Any]:
        """The event for the handlers. Only for a message that can be read."""
        assert self.envelope is not None  # noqa: S101  callers look at error first
        contract = contract_for(self.envelope.type)
        return Event(self.envelope, self.place, self.value or b"", self.headers, contract)
