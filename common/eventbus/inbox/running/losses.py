"""Losses: messages that Kafka deleted unread are recorded and reported once."""

import structlog

from eventbus.events import Place
from eventbus.inbox import signals
from eventbus.inbox.models import LostMessages
from eventbus.inbox.running.stream import Loss, shown

log = structlog.get_logger(__name__)


def report(consumer: str, loss: Loss) -> None:
    """Record a loss, and report it unless that has been done before.

    The same loss is noticed again when reading resumes from the same committed offset, as after a
    crash. More may have been deleted by then, which is reported as well.

    :raises django.db.Error: as any write; calling it again is safe.
    """
    topic, partition = loss.partition
    known, is_new = LostMessages.objects.get_or_create(
        consumer=consumer,
        topic=topic,
        partition=partition,
        first=loss.first,
        defaults={"last": loss.following - 1},
    )
    if not is_new:
        if known.last >= loss.following - 1:
            return
        known.last = loss.following - 1
        known.save(update_fields=["last"])
    log.error(
        "Kafka deleted messages before they were read: this service has lost them",
        partition=shown(loss.partition),
        first=loss.first,
        last=loss.following - 1,
        messages=loss.count,
        hint="publish_snapshot republishes the state; increase KAFKA_TOPIC_RETENTION_MS",
    )
    signals.lost(consumer, Place(topic, partition, loss.first), loss.count)
