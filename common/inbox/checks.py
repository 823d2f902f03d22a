"""System checks of the consuming side."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def inbox_outlives_the_topic(**_: Any) -> list[CheckMessage]:
    """An event that Kafka still has must not be forgotten: it would be handled again."""
    inbox = timedelta(days=settings.INBOX_RETENTION_DAYS)
    topic_ms = settings.KAFKA_TOPIC_RETENTION_MS
    if not inbox or 0 <= topic_ms < inbox / timedelta(milliseconds=1):
        return []
    return [
        Error(
            "The inbox forgets events that Kafka still keeps, and would handle them twice.",
            hint="Make INBOX_RETENTION_DAYS longer than KAFKA_TOPIC_RETENTION_MS; "
            "0 never forgets, and is needed where the topic keeps its events for ever.",
            id="inbox.E001",
        )
    ]
