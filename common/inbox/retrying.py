"""Trying parked events again: the first of each line when its time has come, then its followers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from common.inbox import signals
from common.inbox.database_errors import passes
from common.inbox.dispatch import run_handlers
from common.inbox.failures import Failure
from common.inbox.message import Message
from common.inbox.models import ParkedEvent, ParkedKey
from common.inbox.parking import State, blame, parked_message
from common.inbox.processing import Outcome

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
KEYS_A_ROUND = 20
BATCH = 500


@dataclass
class Retries:
    """What a worker does about parked events between its batches.

    :param consumer: the consumer group, whose parked events they are.
    """

    consumer: str
    _next: float = field(default=0.0, init=False)

    def run_due(self) -> Outcome:
        """Go one step with each key that is due, 20 keys at the most; others have their turn later.

        :raises django.db.Error: when the database is at fault, in a way that passes.
        """
        outcome = Outcome()
        if time.monotonic() < self._next:
            return outcome
        for key in due(self.consumer)[:KEYS_A_ROUND]:
            outcome.add(advance(key))
        self._next = 0.0 if outcome.handled else time.monotonic() + LOOK_SECONDS
        return outcome


def due(consumer: str) -> QuerySet[ParkedKey]:
    """The keys whose time has come, the one that waited longest first."""
    retrying = ParkedKey.objects.filter(consumer=consumer, state=ParkedKey.State.RETRYING)
    return retrying.filter(next_try_at__lte=timezone.now()).order_by("next_try_at")


def advance(key: ParkedKey) -> Outcome:
    """One step with a key that is due: its first event, or up to 500 where that is not tried yet.

    Where the key is not due any more, or another process is at it, nothing is done.

    :raises django.db.Error: when the database is at fault, in a way that passes.
    """
    head = key.line().first()
    if head and head.attempts:
        return _front(key)
    try:
        return _run(key, BATCH)
    except _Stuck:
        log.warning("followers failed together; taking them one by one", key=str(key))
    outcome = Outcome()
    for _ in range(BATCH):
        one = _front(key)
        outcome.add(one)
        if not one.handled:
            break
    return outcome


class _Stuck(Exception):
    """The line cannot be moved; ``row`` is its front."""

    def __init__(self, row: ParkedEvent, failure: Failure) -> None:
        super().__init__(failure.text)
        self.row = row
        self.failure = failure


def _front(key: ParkedKey) -> Outcome:
    """Try the first event of the line alone, and keep what became of it."""
    try:
        return _run(key, 1)
    except _Stuck as stuck:
        _fail(stuck.row, stuck.failure)
        return Outcome(failures=1)


def _run(key: ParkedKey, limit: int) -> Outcome:
    """Handle up to so many events from the front of the line in one transaction."""
    rows: list[ParkedEvent] = []
    messages: list[Message] = []
    try:
        with transaction.atomic():
            locked = due(key.consumer).select_for_update(skip_locked=True).filter(pk=key.pk).first()
            if not locked:
                return Outcome()
            rows = list(locked.line()[:limit])
            messages = [parked_message(row) for row in rows]
            _handle(messages, key.consumer)
            _strike(rows)
            locked.go_on()
            locked.save()
    except Exception as error:
        if passes(error) or not rows:
            raise
        raise _Stuck(rows[0], Failure.of(error)) from error
    signals.send(signals.event_handled, key.consumer, messages)
    log.info("parked events handled", key=str(key), events=len(messages))
    return Outcome(handled=messages)


def _handle(messages: Sequence[Message], consumer: str) -> None:
    for message in messages:
        if message.error:
            raise message.error
    signals.send(signals.event_received, consumer, messages)
    run_handlers(messages)


def _strike(rows: Sequence[ParkedEvent]) -> None:
    """Take handled events from the line."""
    now = timezone.now()
    for row in rows:
        row.state, row.handled_at, row.attempts = State.HANDLED, now, row.attempts + 1
    ParkedEvent.objects.bulk_update(rows, ["state", "handled_at", "attempts"])


def _fail(row: ParkedEvent, failure: Failure) -> None:
    """Enter a failed try, unless the event was handled or discarded in the meantime."""
    with transaction.atomic():
        key = ParkedKey.objects.select_for_update().get(pk=row.parked_key_id)
        front = key.line().first()
        if front is None or (front.pk, front.attempts) != (row.pk, row.attempts):
            return
        blame(front, failure)
        front.save()
        key.hold(failure.wait(front.attempts))
        key.save()
    log.warning("parked event failed again", id=row.pk, tries=front.attempts, error=front.error)
    if key.state == ParkedKey.State.DEAD:
        log.error("parked event is dead: it waits for a person", id=row.pk, error=front.error)
    signals.failed(key.consumer, parked_message(row), failure)
