"""What an event is: envelope, contract classes, encoding. Pure Python; no Django, no Kafka."""

from common.events.codec import decode, encode
from common.events.contract import AnyEvent, Contract, event
from common.events.envelope import Envelope
from common.events.errors import ContractViolation, EventError, EventTooLarge, InvalidEvent
from common.events.received import Event, Place

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
