"""The event itself: envelope, contract classes, encoding. Pure Python; no Django, no Kafka."""

from eventbus.events.codec import decode, encode
from eventbus.events.contract import AnyEvent, Contract, event
from eventbus.events.envelope import Envelope, Event, Place
from eventbus.events.errors import ContractViolation, EventError, EventTooLarge, InvalidEvent

__all__ = [
    "AnyEvent",
    "Contract",
    "ContractViolation",
    "Envelope",
    "Event",
    "EventError",
    "EventTooLarge",
    "InvalidEvent",
    "Place",
    "decode",
    "encode",
    "event",
]
