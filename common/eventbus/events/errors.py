"""Everything that can be wrong with an event, in one file."""


class EventError(Exception):
    """Base of the errors below: the event is at fault, not the machine."""


class InvalidEvent(EventError):
    """The bytes are not a CloudEvents 1.0 event that can be read."""


class ContractViolation(EventError):
    """The event can be read, but its ``data`` does not fit the contract of its type."""


class EventTooLarge(EventError):
    """The encoded event is larger than Kafka is set to carry."""
