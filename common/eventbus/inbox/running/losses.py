"""Losses: what Kafka deleted before this service had read it is kept, and told once."""

import structlog

from eventbus.events import Place
from eventbus.inbox import signals
from eventbus.inbox.models import LostMessages
from eventbus.inbox.running.stream import Loss, shown

log = structlog.get_logger(__name__)


def tell(consumer: str, loss: Loss) -> None:
    """Keep a loss, and tell of it unless that was done before.

    It is noticed again by whoever reads on from the same committed offset, as after a crash; then
    more may have been deleted, which is told as well.

    :raises django.db.Error: as any write; to tell again is right.
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
        "Kafka deleted messages before they were read: they are lost to this service",
        partition=shown(loss.partition),
        first=loss.first,
        last=loss.following - 1,
        messages=loss.count,
        hint="publish_snapshot tells of the state; make KAFKA_TOPIC_RETENTION_MS longer",
    )
    signals.lost(consumer, Place(topic, partition, loss.first), loss.count)
