"""Replaying: events that Kafka still has go through chosen handlers again."""

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import DatabaseError, transaction

from common.inbox.database_errors import drop_broken_connection, passes
from common.inbox.dispatch import dispatch
from common.inbox.failures import Failure
from common.inbox.message import Message
from common.inbox.subscriptions import Subscription

log = structlog.get_logger(__name__)

DATABASE_RETRY_SECONDS = 1.0


@dataclass
class Replay:
    """Handlers that see history, with ``event.replayed`` set.

    Inbox and parked events are left alone: a replayed event may be known, and may be parked, and
    neither changes. What fails is counted, logged and passed over.

    :param handlers: those that see the events.
    :param types: event types that count; empty for all that the handlers want.
    :param subjects: subjects that count; empty for all.
    :param stop: ends the waiting for a database that is away.
    """

    handlers: Sequence[Subscription]
    types: Collection[str]
    subjects: Collection[str]
    stop: threading.Event
    replayed: Counter[str] = field(default_factory=Counter, init=False)
    passed_over: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)

    def take(self, records: Sequence[Any], *, dry_run: bool = False) -> None:
        """Hand over those of these Kafka records that count; in a dry run, only count them."""
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
            and any(handler.wants(envelope.type) for handler in self.handlers)
            and (not self.types or envelope.type in self.types)
            and (not self.subjects or envelope.subject in self.subjects)
        )

    def _handle(self, messages: Sequence[Message]) -> None:
        try:
            self._run(messages)
        except Exception as error:
            if len(messages) == 1:
                self._fail(messages[0], Failure.of(error))
                return
            for message in messages:
                self._handle([message])

    def _run(self, messages: Sequence[Message]) -> None:
        """In one transaction; where the database is at fault, again until it works."""
        events = [message.event(replayed=True) for message in messages]
        while not self.stop.is_set():
            try:
                with transaction.atomic():
                    dispatch(events, self.handlers)
                self._count(messages)
                return
            except DatabaseError as error:
                if not passes(error):
                    raise
                drop_broken_connection()
                log.warning("waiting for the database", reason=" ".join(str(error).split()))
                self.stop.wait(DATABASE_RETRY_SECONDS)

    def _count(self, messages: Sequence[Message]) -> None:
        self.replayed.update(m.envelope.type for m in messages if m.envelope)

    def _fail(self, message: Message, failure: Failure) -> None:
        self.failed += 1
        place = "{}/{}/{}".format(*message.place)
        log.error("not replayed", place=place, handler=failure.handler, error=failure.text)
