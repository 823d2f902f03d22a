"""Parking: what fails waits in a table, and later events of its key wait behind it, in order."""

import traceback
from collections.abc import Iterable, Sequence

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from common.events import Place
from common.events.codec import headers_from_text, headers_to_text
from common.inbox.dispatch import run_handlers
from common.inbox.message import Message
from common.inbox.models import ParkedEvent

log = structlog.get_logger(__name__)

Address = tuple[str, str]
State = ParkedEvent.State


def address(message: Message) -> Address:
    """Topic and key: within one, order is kept."""
    return message.place.topic, message.held_key


def held_keys(consumer: str, messages: Iterable[Message]) -> set[Address]:
    """The keys among these that have parked events.

    Their rows are locked until the transaction ends: a retry that empties a key cannot slip
    in between this look and the parking of a follower.
    """
    waiting = ParkedEvent.objects.exclude(state=State.HANDLED).filter(consumer=consumer)
    if not waiting.exists():
        return set()
    wanted = {address(message) for message in messages if message.held_key}
    rows = (
        waiting.filter(held_key__in={key for _, key in wanted})
        .order_by("id")
        .select_for_update()
        .values_list("topic", "held_key")
    )
    return set(rows) & wanted


def park(consumer: str, message: Message, error: Exception | None, attempts: int = 1) -> None:
    """Keep a message that failed, with the error and its traceback."""
    row = _row(consumer, message, State.FAILED)
    row.error, row.traceback = _describe(error)
    row.attempts = attempts
    row.save()
    log.error("parked", event_type=row.type, place=tuple(message.place), error=row.error)


def park_behind(consumer: str, messages: Sequence[Message]) -> None:
    """Keep messages whose key is held, in their order."""
    ParkedEvent.objects.bulk_create(_row(consumer, m, State.BEHIND) for m in messages)
    if messages:
        log.warning("parked behind events that failed", events=len(messages))


def retry(consumer: str) -> tuple[int, int]:
    """Run what is parked again, each key in order until one of its events fails.

    :returns: how many were handled, and how many still wait.
    """
    waiting = ParkedEvent.objects.exclude(state=State.HANDLED).filter(consumer=consumer)
    handled = 0
    failed: set[tuple[str, str]] = set()
    last = 0
    while row := waiting.filter(id__gt=last).order_by("id").first():
        last = row.pk
        if (row.topic, row.held_key) in failed:
            continue
        if _retry_one(row):
            handled += 1
        elif row.held_key:
            failed.add((row.topic, row.held_key))
    return handled, waiting.count()


def _retry_one(row: ParkedEvent) -> bool:
    try:
        with transaction.atomic():
            locked = (
                ParkedEvent.objects.select_for_update().exclude(state=State.HANDLED).get(pk=row.pk)
            )
            message = _message(locked)
            if message.error:
                raise message.error
            run_handlers([message])
            locked.state = State.HANDLED
            locked.handled_at = timezone.now()
            locked.attempts += 1
            locked.save(update_fields=["state", "handled_at", "attempts"])
    except ParkedEvent.DoesNotExist:
        return True  # somebody else's retry handled it
    except Exception as error:
        text, trace = _describe(error)
        still_parked = ParkedEvent.objects.filter(pk=row.pk).exclude(state=State.HANDLED)
        return not still_parked.update(
            state=State.FAILED, error=text, traceback=trace, attempts=F("attempts") + 1
        )
    return True


def _describe(error: Exception | None) -> tuple[str, str]:
    """Error and traceback, without what a text column refuses."""
    shown = f"{type(error).__name__}: {error}"
    return storable(shown), storable("".join(traceback.format_exception(error)))


def storable(text: str) -> str:
    """Text that every database stores: NULs and lone surrogates are escaped."""
    return text.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")


def _row(consumer: str, message: Message, state: ParkedEvent.State) -> ParkedEvent:
    return ParkedEvent(
        consumer=consumer,
        state=state,
        topic=message.place.topic,
        partition=message.place.partition,
        offset=message.place.offset,
        key=message.key,
        value=message.value,
        headers=headers_to_text(message.headers),
        held_key=message.held_key,
        event_id=message.envelope.id if message.envelope else "",
        type=message.envelope.type if message.envelope else "",
    )


def _message(row: ParkedEvent) -> Message:
    return Message.read(
        Place(row.topic, row.partition, row.offset),
        key=None if row.key is None else bytes(row.key),
        value=None if row.value is None else bytes(row.value),
        headers=headers_from_text(row.headers),
    )
