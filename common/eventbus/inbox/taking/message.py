"""A Kafka message on its way through the inbox: its bytes, and the decoded envelope."""

import hashlib
from typing import Any

import msgspec

from eventbus.database.texts import fitting
from eventbus.events import Envelope, Event, InvalidEvent, Place, decode
from eventbus.inbox.taking.subscriptions import contract_for

KEY = 255
"""Length of the column that holds the key of waiting events, in characters."""


class Message(msgspec.Struct, frozen=True):
    """One message as stored in Kafka. It is decoded once, on construction.

    :param identity: event id and source; unreadable bytes are identified by position and digest.
    :param held_key: the key whose later events wait if this one fails; empty without order.
    :param envelope: the decoded envelope, or None.
    :param error: why it cannot be decoded, or None.
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
        """From the parts of a message; ``error`` shows whether it is a valid event."""
        try:
            envelope = decode(value, headers)
        except InvalidEvent as error:
            # Without a readable event there is no order to preserve, so it holds no key.
            identity = hashlib.sha256(value or b"").hexdigest(), "kafka:{}/{}/{}".format(*place)
            return cls(place, key, value, headers, identity, "", None, error)
        identity = envelope.id, envelope.source
        held_key = _held_key(key, envelope)
        return cls(place, key, value, headers, identity, held_key, envelope, None)

    def event(self, *, replayed: bool = False) -> Event[Any]:
        """The event for the handlers; only for a readable message."""
        assert self.envelope is not None  # noqa: S101  callers check error first
        contract = contract_for(self.envelope.type)
        value = self.value or b""
        return Event(self.envelope, self.place, value, self.headers, contract, replayed)


def _held_key(key: bytes | None, envelope: Envelope) -> str:
    text = (key or b"").decode(errors="backslashreplace").replace("\x00", "\\x00")
    return fitting(text or envelope.partitionkey or "", KEY)
