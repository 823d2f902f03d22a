"""The one transaction: inbox rows and what the handlers write, all or nothing."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.utils import Error as DatabaseError

from common.inbox import parking
from common.inbox.claims import claim
from common.inbox.database_errors import drop_broken_connection, passes
from common.inbox.dispatch import run_handlers
from common.inbox.message import Message
from common.inbox.subscriptions import subscriptions

log = structlog.get_logger(__name__)

RETRIES = 3
BACKOFF_SECONDS = 0.1
DATABASE_RETRY_SECONDS = 1.0


class Stopping(Exception):
    """The worker is to stop; what is not committed yet is read again by the next one."""


@dataclass
class Outcome:
    handled: int = 0
    parked: int = 0


@dataclass
class Processor:
    """Takes messages into the database, exactly once in effect and in order within a key.

    :param consumer: the consumer group, whose inbox it is.
    :param stop: cuts the pauses between retries short.
    """

    consumer: str
    stop: threading.Event

    def process(self, messages: Sequence[Message]) -> Outcome:
        """Handle or park every message that the inbox does not know.

        :raises Stopping: when told to stop before all are done.
        """
        try:
            return self._whole(lambda: self._take(messages))
        except Stopping:
            raise
        except Exception as error:
            log.warning("batch failed; taking it event by event", error=repr(error))
        outcome = Outcome()
        for message in messages:
            one = self._alone(message)
            outcome.handled += one.handled
            outcome.parked += one.parked
        return outcome

    def _alone(self, message: Message) -> Outcome:
        for attempt in range(RETRIES + 1):
            if attempt:
                pause = BACKOFF_SECONDS * 4 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
                if self.stop.wait(pause):
                    raise Stopping
            try:
                return self._whole(lambda: self._take([message]))
            except Stopping:
                raise
            except Exception as error:
                failure = error
        return self._whole(lambda: self._park(message, failure))

    def _whole(self, work: Callable[[], Outcome]) -> Outcome:
        """Run in one transaction; where the database is at fault, again until it works."""
        while True:
            try:
                with transaction.atomic():
                    return work()
            except DatabaseError as error:
                if not passes(error):
                    raise
                drop_broken_connection()
                log.warning("waiting for the database", reason=" ".join(str(error).split()))
                if self.stop.wait(DATABASE_RETRY_SECONDS):
                    raise Stopping from error

    def _take(self, messages: Sequence[Message]) -> Outcome:
        fresh = self._claim(_wanted(messages))
        unreadable = [m for m in fresh if m.error]
        readable = [m for m in fresh if not m.error]
        held = parking.held_keys(self.consumer, readable)
        behind = [m for m in readable if parking.address(m) in held]
        runnable = [m for m in readable if parking.address(m) not in held]
        for message in unreadable:
            parking.park(self.consumer, message, message.error)
        parking.park_behind(self.consumer, behind)
        run_handlers(runnable)
        return Outcome(handled=len(runnable), parked=len(unreadable) + len(behind))

    def _park(self, message: Message, error: Exception) -> Outcome:
        if not self._claim([message]):
            return Outcome()
        parking.park(self.consumer, message, error, attempts=RETRIES + 1)
        return Outcome(parked=1)

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
