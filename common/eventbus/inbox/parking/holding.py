"""Parking: a failed event waits in a table, and later events of its key wait behind it in order.

Each key has a line shared by all handlers, and one for each isolated handler that failed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog

from eventbus.events import Place
from eventbus.events.codec import headers_from_text, headers_to_text
from eventbus.inbox import signals
from eventbus.inbox.models import ParkedEvent, ParkedKey
from eventbus.inbox.taking.failures import Failure
from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.subscriptions import isolated_names

log = structlog.get_logger(__name__)

Address = tuple[str, str]
SHARED = ""
"""Used instead of a handler's name for the line of all handlers that are not isolated."""
State = ParkedEvent.State


def address(message: Message) -> Address:
    """Topic and key, within which order is preserved."""
    return message.place.topic, message.held_key


class KeyLines:
    """The lines for the keys of some messages, within the open transaction.

    Lines with waiting events stay locked until it ends, so that no retry can empty a line between
    this lookup and the parking of another event behind it.

    :param consumer: the consumer group that the lines belong to.
    :param messages: readable messages.
    """

    def __init__(self, consumer: str, messages: Iterable[Message]) -> None:
        self._consumer = consumer
        self._open: dict[tuple[Address, str], ParkedKey] = {}
        self._own: dict[Address, set[str]] = defaultdict(set)
        self._isolated = isolated_names()
        self.failed: list[tuple[Message, Failure, ParkedEvent, str]] = []
        self.behind: list[tuple[Message, str]] = []
        for line in self._locked({address(m) for m in messages if m.held_key}):
            self._enter(line)

    def holds(self, message: Message, handler: str = SHARED) -> bool:
        """Whether earlier events of the message's key wait in the shared or the handler's line."""
        return (address(message), handler) in self._open

    def apart(self, message: Message) -> frozenset[str]:
        """The handlers that do not take a message together with the others.

        These are the isolated ones, but a key keeps the division that its lines began with: a
        handler that became isolated while events wait for it in the shared line keeps waiting
        there, and one that is no longer isolated empties its own line first.
        """
        shared = self._open.get((address(message), SHARED))
        if shared is not None:
            return frozenset(shared.apart)
        return self._isolated | self._own.get(address(message), frozenset())

    def park(self, message: Message, failure: Failure, handler: str = SHARED) -> None:
        """Park a message that failed on its first attempt, and hold its key, which was free."""
        line = self._begin(message, handler, failure.wait(attempts=1))
        row = _row(message, line, State.FAILED)
        blame(row, failure)
        row.save()
        self.failed.append((message, failure, row, handler))

    def wait(self, messages: Sequence[Message], handler: str = SHARED) -> None:
        """Append messages to their lines, in order.

        The first message of an empty line is due immediately.
        """
        rows = []
        for message in messages:
            line = self._open.get((address(message), handler))
            line = line or self._begin(message, handler, timedelta(0))
            rows.append(_row(message, line, State.BEHIND))
        ParkedEvent.objects.bulk_create(rows)
        self.behind += [(message, handler) for message in messages]

    def report(self) -> None:
        """Log and signal what was parked. Call it after the commit."""
        for message, failure, row, line in self.failed:
            where = {"id": row.pk, "event_type": row.type, "place": row.place}
            log.error("parked", **where, handler=failure.handler, error=row.error)
            if message.envelope:
                signals.failed(self._consumer, message, failure, line)
            signals.send(signals.event_parked, self._consumer, [message], line=line)
        if self.behind:
            log.warning("parked behind earlier events of the same key", events=len(self.behind))
        for message, handler in self.behind:
            signals.send(signals.event_parked, self._consumer, [message], line=handler)

    @property
    def parked(self) -> list[Message]:
        """The parked messages, once for each line that they were parked in."""
        return [m for m, *_ in self.failed] + [m for m, _ in self.behind]

    def _locked(self, wanted: set[Address]) -> list[ParkedKey]:
        waiting = ParkedKey.objects.exclude(state=ParkedKey.State.CLEAR)
        waiting = waiting.filter(consumer=self._consumer)
        if not wanted or not waiting.exists():
            return []
        lines = waiting.filter(key__in={key for _, key in wanted}).order_by("id")
        return [line for line in lines.select_for_update() if (line.topic, line.key) in wanted]

    def _begin(self, message: Message, handler: str, wait: timedelta | None) -> ParkedKey:
        """Start a line and hold its key; the first event is due after the wait."""
        topic, key = address(message)
        line = ParkedKey(consumer=self._consumer, topic=topic, key=key, handler=handler)
        if key:
            line, _ = ParkedKey.objects.select_for_update().get_or_create(
                consumer=self._consumer,
                topic=topic,
                key=key,
                handler=handler,
                defaults={"state": ParkedKey.State.CLEAR},
            )
        if handler == SHARED:
            line.apart = sorted(self.apart(message))
        line.hold(wait)
        line.save()
        if key:
            self._enter(line)
        return line

    def _enter(self, line: ParkedKey) -> None:
        where = line.topic, line.key
        self._open[where, line.handler] = line
        if line.handler:
            self._own[where].add(line.handler)


def blame(row: ParkedEvent, failure: Failure) -> None:
    """Record another failed attempt."""
    row.state = State.FAILED
    row.attempts += 1
    row.handler, row.error, row.traceback = failure.handler, failure.text, failure.traceback


def parked_message(row: ParkedEvent) -> Message:
    """The parked message, as it was received from Kafka."""
    return Message.read(
        Place(row.topic, row.partition, row.offset),
        key=None if row.key is None else bytes(row.key),
        value=None if row.value is None else bytes(row.value),
        headers=headers_from_text(row.headers),
    )


def _row(message: Message, line: ParkedKey, state: State) -> ParkedEvent:
    return ParkedEvent(
        parked_key_id=line.pk,
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
