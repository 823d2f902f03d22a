"""Replaying: run chosen handlers again on events that Kafka still has."""

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from eventbus.conf import bus_settings
from eventbus.database.alias import bus_atomic
from eventbus.database.errors import database_answers
from eventbus.events import Event, Place
from eventbus.inbox.taking.dispatch import run
from eventbus.inbox.taking.failures import Failure
from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.patience import Patience
from eventbus.inbox.taking.subscriptions import HandlerSubscription
from eventbus.running.daemon import Outage

log = structlog.get_logger(__name__)


@dataclass
class Replay:
    """Runs handlers on past events, with ``event.replayed`` set.

    The inbox and parked events are neither consulted nor changed. Failed events are counted, logged
    and skipped; an isolated handler succeeds or fails on its own, the others together.

    :param handlers: the handlers to run.
    :param types: event types to replay; empty for all that the handlers subscribed to.
    :param subjects: subjects to replay; empty for all.
    :param stop: ends the wait for an unavailable database.
    """

    handlers: Sequence[HandlerSubscription]
    types: Collection[str]
    subjects: Collection[str]
    stop: threading.Event
    replayed: Counter[str] = field(default_factory=Counter, init=False)
    passed_over: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        together = [handler for handler in self.handlers if not handler.isolated]
        self._groups = [[handler] for handler in self.handlers if handler.isolated]
        if together:
            self._groups.insert(0, together)
        self._patience = Patience()
        self._database = Outage("the database", self.stop)

    def take(self, records: Sequence[Any], *, dry_run: bool = False) -> None:
        """Replay the matching ones of these Kafka records; in a dry run, only count them."""
        messages = [message for message in map(Message.of, records) if self._wants(message)]
        self.passed_over += len(records) - len(messages)
        if dry_run:
            self._count(messages)
        else:
            self._handle(messages)

    def _wants(self, message: Message) -> bool:
        envelope = message.envelope
        return (
            envelope is not None
            and envelope.is_for(bus_settings().group)
            and any(handler.wants(envelope.type) for handler in self.handlers)
            and (not self.types or envelope.type in self.types)
            and (not self.subjects or envelope.subject in self.subjects)
        )

    def _handle(self, messages: Sequence[Message]) -> None:
        failed: set[Place] = set()
        for handlers in self._groups:
            failed.update(self._failing(messages, handlers))
        if not self.stop.is_set():
            self.failed += len(failed)
            self._count([message for message in messages if message.place not in failed])

    def _failing(
        self, messages: Sequence[Message], handlers: Sequence[HandlerSubscription]
    ) -> list[Place]:
        """Run handlers that succeed or fail together.

        :returns: the positions of the failed messages in Kafka.
        """
        try:
            self._run(messages, handlers)
        except Exception as error:
            if len(messages) == 1:
                self._log(messages[0], Failure.of(error))
                return [messages[0].place]
            return [at for message in messages for at in self._failing([message], handlers)]
        return []

    def _run(self, messages: Sequence[Message], handlers: Sequence[HandlerSubscription]) -> None:
        """Run the handlers in one transaction, repeating it on transient database errors."""
        events = [message.event(replayed=True) for message in messages]
        while not self.stop.is_set():
            try:
                with bus_atomic():
                    _run_all(handlers, events)
            except Exception as error:
                cause = Failure.of(error).error
                if not self._patience.waits_for(cause):
                    raise
                self._database.wait(cause)
                self._patience.note_failure(database_answers=database_answers())
            else:
                self._patience.note_success()
                self._database.end()
                return

    def _count(self, messages: Sequence[Message]) -> None:
        self.replayed.update(m.envelope.type for m in messages if m.envelope)

    def _log(self, message: Message, failure: Failure) -> None:
        place = "{}/{}/{}".format(*message.place)
        log.error("not replayed", place=place, handler=failure.handler, error=failure.text)


def _run_all(handlers: Sequence[HandlerSubscription], events: Sequence[Event[Any]]) -> None:
    for handler in handlers:
        run(handler, [event for event in events if handler.wants(event.type)])
