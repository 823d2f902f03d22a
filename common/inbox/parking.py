"""Parking: what fails waits in a table, and later events of its key wait behind it, in order."""

from collections.abc import Iterable, Mapping, Sequence

import structlog

from common.events import Place
from common.events.codec import headers_from_text, headers_to_text
from common.inbox.failures import Failure
from common.inbox.message import Message
from common.inbox.models import ParkedEvent, ParkedKey

log = structlog.get_logger(__name__)

Address = tuple[str, str]
State = ParkedEvent.State


def address(message: Message) -> Address:
    """Topic and key: within one, order is kept."""
    return message.place.topic, message.held_key


def held_keys(consumer: str, messages: Iterable[Message]) -> dict[Address, int]:
    """The keys among these whose events wait, with the ids of their rows.

    The rows are locked until the transaction ends: a retry that empties a line cannot slip in
    between this look and the parking of a follower.
    """
    held = ParkedKey.objects.exclude(state=ParkedKey.State.CLEAR).filter(consumer=consumer)
    if not held.exists():
        return {}
    wanted = {address(message) for message in messages if message.held_key}
    rows = (
        held.filter(key__in={key for _, key in wanted})
        .order_by("id")
        .select_for_update()
        .values_list("topic", "key", "id")
    )
    return {(topic, key): pk for topic, key, pk in rows if (topic, key) in wanted}


def park(consumer: str, message: Message, failure: Failure) -> ParkedEvent:
    """Keep a message that failed at its first try, and hold its key, which is not held yet."""
    topic, key = address(message)
    parked_key = ParkedKey(consumer=consumer, topic=topic, key=key)
    if key:
        known = ParkedKey.objects.filter(consumer=consumer, topic=topic, key=key)
        parked_key = known.select_for_update().first() or parked_key
    parked_key.hold(failure.wait(attempts=1))
    parked_key.save()
    row = _row(message, parked_key.pk, State.FAILED)
    blame(row, failure)
    row.save()
    log.error("parked", id=row.pk, event_type=row.type, place=row.place, error=row.error)
    return row


def blame(row: ParkedEvent, failure: Failure) -> None:
    """Enter one more failed try."""
    row.state = State.FAILED
    row.attempts += 1
    row.handler, row.error, row.traceback = failure.handler, failure.text, failure.traceback


def park_behind(messages: Sequence[Message], held: Mapping[Address, int]) -> None:
    """Keep messages whose key is held, in their order.

    :param held: what :func:`held_keys` returned, in the same transaction.
    """
    ParkedEvent.objects.bulk_create(_row(m, held[address(m)], State.BEHIND) for m in messages)
    if messages:
        log.warning("parked behind events that failed", events=len(messages))


def parked_message(row: ParkedEvent) -> Message:
    """The message that was parked, as it came from Kafka."""
    return Message.read(
        Place(row.topic, row.partition, row.offset),
        key=None if row.key is None else bytes(row.key),
        value=None if row.value is None else bytes(row.value),
        headers=headers_from_text(row.headers),
    )


def _row(message: Message, parked_key: int, state: State) -> ParkedEvent:
    return ParkedEvent(
        parked_key_id=parked_key,
        state=state,
        topic=message.place.topic,
        partition=message.place.partition,
        offset=message.place.offset,
        key=message.key,
        value=message.value,
        headers=headers_to_text(message.headers),
        event_id=message.envelope.id if message.envelope else "",
        type=message.envelope.type if message.envelope else "",
    )
