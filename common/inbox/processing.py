"""The one transaction: inbox rows and what the handlers write, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from django.db import transaction

from common.inbox import parking, signals
from common.inbox.claims import claim
from common.inbox.database_errors import passes
from common.inbox.dispatch import run_handlers
from common.inbox.failures import Failure
from common.inbox.message import Message
from common.inbox.subscriptions import subscriptions

log = structlog.get_logger(__name__)


@dataclass
class Outcome:
    """What became of messages. A parked one failed, or waits behind one that did."""

    handled: list[Message] = field(default_factory=list)
    parked: list[Message] = field(default_factory=list)
    failures: int = 0

    def add(self, other: "Outcome") -> None:
        self.handled += other.handled
        self.parked += other.parked
        self.failures += other.failures


@dataclass
class Processor:
    """Takes messages into the database, exactly once in effect and in order within a key.

    :param consumer: the consumer group, whose inbox it is.
    """

    consumer: str

    def process(self, messages: Sequence[Message]) -> Outcome:
        """Handle or park every message that the inbox does not know.

        :raises django.db.Error: when the database is at fault, in a way that passes. What is done
            by then stays done; to process all of them again is right.
        """
        try:
            return self._take(messages)
        except Exception as error:
            if passes(error):
                raise
            if len(messages) == 1:
                return self._park(messages[0], error)
            log.warning("batch failed; taking it event by event", error=Failure.of(error).text)
        outcome = Outcome()
        for message in messages:
            outcome.add(self.process([message]))
        return outcome

    def _take(self, messages: Sequence[Message]) -> Outcome:
        with transaction.atomic():
            fresh = self._claim(_wanted(messages))
            unreadable = [m for m in fresh if m.error]
            readable = [m for m in fresh if not m.error]
            held = parking.held_keys(self.consumer, readable)
            behind = [m for m in readable if parking.address(m) in held]
            runnable = [m for m in readable if parking.address(m) not in held]
            for message in unreadable:
                parking.park(self.consumer, message, Failure.to_read(message))
            parking.park_behind(behind, held)
            signals.send(signals.event_received, self.consumer, runnable)
            run_handlers(runnable)
        signals.send(signals.event_handled, self.consumer, runnable)
        signals.send(signals.event_parked, self.consumer, unreadable + behind)
        return Outcome(runnable, unreadable + behind, len(unreadable))

    def _park(self, message: Message, error: Exception) -> Outcome:
        failure = Failure.of(error)
        with transaction.atomic():
            if not self._claim([message]):
                return Outcome()
            if held := parking.held_keys(self.consumer, [message]):
                parking.park_behind([message], held)
            else:
                parking.park(self.consumer, message, failure)
        signals.failed(self.consumer, message, failure)
        signals.send(signals.event_parked, self.consumer, [message])
        return Outcome(parked=[message], failures=1)

    def _claim(self, messages: Sequence[Message]) -> list[Message]:
        """Write the inbox rows of what is new, and return it in its order, each once."""
        first = {message.identity: message for message in reversed(messages)}
        fresh = claim(self.consumer, first.keys())
        return [m for m in messages if m.identity in fresh and first[m.identity] is m]


def _wanted(messages: Sequence[Message]) -> list[Message]:
    """Messages with a handler, and those that cannot be read: they are to be parked."""
    types = {m.envelope.type for m in messages if m.envelope}
    wanted = {t for t in types if any(s.wants(t) for s in subscriptions)}
    return [m for m in messages if m.envelope is None or m.envelope.type in wanted]
