"""Everything that can be wrong with an event."""


class EventError(Exception):
    """Base of the errors below: the event is at fault, not the infrastructure."""


class InvalidEvent(EventError):
    """The message is not a readable CloudEvents 1.0 event."""


class ContractViolation(EventError):
    """The event is readable, but its ``data`` does not match the contract of its type."""


class EventTooLarge(EventError):
    """The encoded event exceeds the size limit, which is below that of Kafka."""
