"""A Kafka message on its way through the inbox: its bytes, and what could be read of them."""

import hashlib
from typing import Any

import msgspec

from eventbus.database.texts import fitting
from eventbus.events import Envelope, Event, InvalidEvent, Place, decode
from eventbus.inbox.taking.subscriptions import contract_for

KEY = 255
"""Characters of the column that later events wait by."""


class Message(msgspec.Struct, frozen=True):
    """One message as it lies in Kafka. It is read once, when it is made.

    :param identity: event id and source; unreadable bytes are known by place and digest.
    :param held_key: what later events wait behind if this one fails; empty for what has no order.
    :param envelope: what was read, or None.
    :param error: why it cannot be read, or None.
    """

    place: Place
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    identity: tuple[str, str]
    held_key: str
    envelope: Envelope | None
    error: InvalidEvent | None

    @classmethod
    def of(cls, record: Any) -> "Message":
        """From a kafka-python ConsumerRecord."""
        place = Place(record.topic, record.partition, record.offset)
        return cls.read(place, record.key, record.value, tuple(record.headers))

    @classmethod
    def read(
        cls,
        place: Place,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> "Message":
        """From what is known of a message; whether it is an event shows in ``error``."""
        try:
            envelope = decode(value, headers)
        except InvalidEvent as error:
            # What is no event has no place in the order of a product, so it holds nobody back.
            identity = hashlib.sha256(value or b"").hexdigest(), "kafka:{}/{}/{}".format(*place)
            return cls(place, key, value, headers, identity, "", None, error)
        identity = envelope.id, envelope.source
        held_key = _held_key(key, envelope)
        return cls(place, key, value, headers, identity, held_key, envelope, None)

    def event(self, *, replayed: bool = False) -> Event[Any]:
        """The event for the handlers. Only for a message that can be read."""
        assert self.envelope is not None  # noqa: S101  callers look at error first
        contract = contract_for(self.envelope.type)
        value = self.value or b""
        return Event(self.envelope, self.place, value, self.headers, contract, replayed)


def _held_key(key: bytes | None, envelope: Envelope) -> str:
    text = (key or b"").decode(errors="backslashreplace").replace("\x00", "\\x00")
    return fitting(text or envelope.partitionkey or "", KEY)
