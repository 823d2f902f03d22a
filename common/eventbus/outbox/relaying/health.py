"""What a health check can say of this service's outbox."""

from eventbus.outbox.models import OutboxEvent


def waiting() -> int:
    """How many events Kafka has not acknowledged yet."""
    return OutboxEvent.objects.filter(published_at=None).count()
