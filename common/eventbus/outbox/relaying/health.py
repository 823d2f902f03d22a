"""What a health check reports about the outbox."""

from eventbus.outbox.models import OutboxEvent


def waiting() -> int:
    """The number of events that Kafka has not acknowledged yet."""
    return OutboxEvent.objects.filter(published_at=None).count()
