"""Retrying parked events: the first of each line once it is due, then those behind it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from django.db.models import F, QuerySet
from django.utils import timezone

from eventbus.database.alias import bus_atomic
from eventbus.inbox import signals
from eventbus.inbox.models import ParkedEvent, ParkedKey
from eventbus.inbox.parking.holding import KeyLines, State, blame, parked_message
from eventbus.inbox.taking.dispatch import Handover, run, run_together, wanted
from eventbus.inbox.taking.failures import Failure
from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.outcome import Outcome
from eventbus.inbox.taking.patience import Patience
from eventbus.inbox.taking.subscriptions import HandlerSubscription, subscription_of, subscriptions

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
KEYS_A_ROUND = 20
BATCH = 500


@dataclass
class Retries:
    """The retries that a worker runs between its batches.

    :param consumer: the consumer group whose events are parked.
    """

    consumer: str
    patience: Patience = field(default_factory=Patience)
    has_more: bool = field(default=True, init=False)
    """Whether more events may be due right now."""
    _next: float = field(default=0.0, init=False)

    def look_at_once(self) -> None:
        """Look for due events in the next round: something was parked that may be due already."""
        self.has_more = True
        self._next = 0.0

    def run_due(self) -> Iterator[Outcome]:
        """Advance each due key by one step, at most 20 keys per round.

        :returns: outcomes, each yielded as soon as it is committed.
        :raises django.db.Error: on a transient database error.
        """
        if time.monotonic() < self._next:
            return
        keys = due(self.consumer)[:KEYS_A_ROUND]
        any_handled = False
        for key in keys:
            for outcome in advance(key, self.patience):
                any_handled |= bool(outcome.handled)
                yield outcome
        self.has_more = any_handled or len(keys) == KEYS_A_ROUND
        self._next = 0.0 if self.has_more else time.monotonic() + LOOK_SECONDS


def due(consumer: str) -> QuerySet[ParkedKey]:
    """The lines that are due, longest waiting first.

    Lines of handlers that no longer exist are excluded: a person has to decide about them.
    """
    handlers = ["", *(subscription.name for subscription in subscriptions)]
    retrying = ParkedKey.objects.filter(consumer=consumer, state=ParkedKey.State.RETRYING)
    retrying = retrying.filter(next_try_at__lte=timezone.now(), handler__in=handlers)
    return retrying.order_by("next_try_at")


def advance(key: ParkedKey, patience: Patience) -> Iterator[Outcome]:
    """Advance a due key by one step: its first event, or up to 500 if that has not been tried yet.

    Nothing happens if the key is no longer due, or if another process is working on it.

    :returns: outcomes, each yielded as soon as it is committed.
    :raises django.db.Error: on a transient database error.
    """
    head = key.line().first()
    if head and head.attempts:
        yield _front(key, patience)
        return
    try:
        outcome = _run(key, BATCH, patience)
    except _Stuck:
        log.warning("parked batch failed; retrying one by one", key=str(key))
    else:
        yield outcome
        return
    for _ in range(BATCH):
        one = _front(key, patience)
        yield one
        if not one.handled:
            break


def run_out(key: ParkedKey) -> int:
    """Retry a line until it is empty or an event fails.

    :returns: the number of events handled.
    :raises django.db.Error: on a transient database error.
    """
    patience = Patience()
    handled = 0
    while more := sum(len(outcome.handled) for outcome in advance(key, patience)):
        handled += more
    return handled


class Front(NamedTuple):
    """The first event of a line, as it was before the attempt."""

    id: int
    attempts: int


class _Stuck(Exception):
    """The line could not be advanced."""

    def __init__(self, front: Front, failure: Failure) -> None:
        super().__init__(failure.text)
        self.front = front
        self.failure = failure


def _front(key: ParkedKey, patience: Patience) -> Outcome:
    """Retry the first event of the line on its own, and record the outcome."""
    try:
        return _run(key, 1, patience)
    except _Stuck as stuck:
        _fail(key, stuck.front, stuck.failure)
        return Outcome(failures=1)


def _run(key: ParkedKey, limit: int, patience: Patience) -> Outcome:
    """Handle up to ``limit`` events from the front of the line in one transaction.

    Objects changed here must not be reused on failure: the transaction may fail in its commit.
    """
    front: Front | None = None
    lines: KeyLines | None = None
    messages: list[Message] = []
    try:
        with bus_atomic():
            locked = due(key.consumer).select_for_update(skip_locked=True).filter(pk=key.pk).first()
            if not locked:
                return Outcome()
            rows = list(locked.line()[:limit])
            front = Front(rows[0].pk, rows[0].attempts) if rows else None
            messages = [parked_message(row) for row in rows]
            lines = _handle(locked, messages)
            _strike(rows)
            locked.go_on()
            locked.save()
    except Exception as error:
        failure = Failure.of(error, subscription_of(key.handler))
        if front is None or patience.waits_for(failure.error):
            raise failure.error  # noqa: B904  keeps the driver's error as its cause
        raise _Stuck(front, failure) from error
    signals.send(signals.event_handled, key.consumer, messages, line=key.handler)
    log.info("parked events handled", key=str(key), events=len(messages))
    if lines is not None:
        lines.report()
    return Outcome(handled=messages)


def _handle(key: ParkedKey, messages: Sequence[Message]) -> KeyLines | None:
    """Pass the messages to the handlers that the line belongs to.

    :returns: the lines for handlers that have become isolated in the meantime.
    """
    for message in messages:
        if message.error:
            raise message.error
    signals.send(signals.event_received, key.consumer, messages, line=key.handler)
    if subscription := subscription_of(key.handler):
        run(subscription, [Handover(message).event for message in messages])
        return None
    isolated = _isolated_since(key)
    apart = frozenset(key.apart).union(s.name for s in isolated)
    handovers = [Handover(message, apart) for message in messages]
    run_together(handovers)
    if not isolated:
        return None
    lines = KeyLines(key.consumer, messages)
    for subscription in isolated:
        lines.wait([h.message for h in wanted(subscription, handovers)], subscription.name)
    return lines


def _isolated_since(key: ParkedKey) -> list[HandlerSubscription]:
    """The handlers of a shared line that have become isolated or got their own line since."""
    others = ParkedKey.objects.filter(consumer=key.consumer, topic=key.topic, key=key.key)
    waiting = others.exclude(state=ParkedKey.State.CLEAR).exclude(handler="")
    own = set(waiting.values_list("handler", flat=True)) if key.key else set()
    waits = (s for s in subscriptions if s.name not in key.apart)
    return [s for s in waits if s.isolated or s.name in own]


def _strike(rows: Sequence[ParkedEvent]) -> None:
    """Remove handled events from the line."""
    handled = ParkedEvent.objects.filter(pk__in=[row.pk for row in rows])
    handled.update(state=State.HANDLED, handled_at=timezone.now(), attempts=F("attempts") + 1)


def _fail(key: ParkedKey, front: Front, failure: Failure) -> None:
    """Record a failed attempt, unless the event was handled or discarded meanwhile."""
    with bus_atomic():
        key = ParkedKey.objects.select_for_update().get(pk=key.pk)
        row = key.line().first()
        if row is None or (row.pk, row.attempts) != front:
            return
        blame(row, failure)
        row.save()
        key.hold(failure.wait(row.attempts))
        key.save()
    log.warning("parked event failed again", id=row.pk, tries=row.attempts, error=row.error)
    if key.state == ParkedKey.State.DEAD:
        log.error("parked event is dead: it needs a decision", id=row.pk, error=row.error)
    signals.failed(key.consumer, parked_message(row), failure, key.handler)
