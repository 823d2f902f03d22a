"""The one transaction: inbox rows and what the handlers write, all or nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from eventbus.database.alias import bus_atomic
from eventbus.database.errors import is_disconnected
from eventbus.events import Envelope
from eventbus.inbox import signals
from eventbus.inbox.parking.holding import KeyLines
from eventbus.inbox.taking.claims import claim
from eventbus.inbox.taking.dispatch import Handover, run, run_together, wanted
from eventbus.inbox.taking.failures import Failure, HandlerFailed
from eventbus.inbox.taking.message import Message
from eventbus.inbox.taking.outcome import Outcome
from eventbus.inbox.taking.patience import Patience
from eventbus.inbox.taking.subscriptions import HandlerSubscription, subscriptions

log = structlog.get_logger(__name__)


@dataclass
class Processor:
    """Takes messages into the database, exactly once in effect and in order within a key.

    :param consumer: the consumer group, whose inbox it is.
    """

    consumer: str
    patience: Patience = field(default_factory=Patience)

    def process(self, messages: Sequence[Message]) -> Iterator[Outcome]:
        """Handle or park every message that the inbox does not know.

        :returns: what is committed, as soon as it is.
        :raises django.db.Error: when the database is at fault, in a way that passes. What is done
            by then stays done; to process all of them again is right.
        """
        try:
            outcome = self._take(messages)
        except Exception as error:
            self._raise_what_passes(error)
            if len(messages) == 1:
                yield self._take_alone(messages[0], error)
                return
            log.warning("batch failed; taking it event by event", error=Failure.of(error).text)
        else:
            yield outcome
            return
        for message in messages:
            yield from self.process([message])

    def _take_alone(self, message: Message, error: Exception) -> Outcome:
        """Park a message that failed for those handlers that cannot do without.

        An error of a handler that is not isolated is clear. One that shows at COMMIT (a deferred
        constraint) may be anybody's doing: then isolated handlers get the message in transactions
        of their own, and it is parked for the others only if their COMMIT fails without them.
        """
        failure: Failure | None = None
        put_off = False
        while True:
            if isinstance(error, HandlerFailed):
                failure = Failure.of(error)
            elif not put_off:
                put_off = True
            elif failure is None:
                failure = Failure.of(error)
            else:
                raise error
            try:
                return self._take([message], failure, put_off=put_off)
            except Exception as again:
                self._raise_what_passes(again)
                error = again

    def _take(
        self, messages: Sequence[Message], failure: Failure | None = None, *, put_off: bool = False
    ) -> Outcome:
        """One transaction.

        :param failure: why these messages are to be parked, instead of handing them to the
            handlers that are not isolated.
        :param put_off: enter them in the lines of isolated handlers, instead of handing them over.
        """
        with bus_atomic():
            fresh = self._claim(self._wanted(messages))
            readable = [m for m in fresh if not m.error]
            lines = KeyLines(self.consumer, readable)
            for message in fresh:
                if message.error:
                    lines.park(message, Failure.to_read(message))
            handovers = [Handover(m, lines.apart(m)) for m in readable]
            runnable = [h for h in handovers if not lines.holds(h.message)]
            behind = [h for h in handovers if lines.holds(h.message) and h.is_shared()]
            lines.wait([h.message for h in behind])
            taken = self._run_together(runnable, lines, failure)
            for subscription in subscriptions:
                theirs = [h for h in handovers if subscription.name in h.apart]
                for_it = wanted(subscription, theirs)
                if put_off:
                    lines.wait([h.message for h in for_it], subscription.name)
                else:
                    taken += self._run_apart(subscription, for_it, lines)
        handled = _each_once(taken)
        signals.send(signals.event_handled, self.consumer, handled)
        lines.tell()
        return Outcome(handled, lines.parked, len(lines.failed))

    def _run_together(
        self, handovers: Sequence[Handover], lines: KeyLines, failure: Failure | None
    ) -> list[Message]:
        """Have the handlers that share one fate take these, or park them for all of these.

        :returns: what they took.
        """
        messages = [h.message for h in handovers]
        if failure is not None:
            for message in messages:
                lines.park(message, failure)
            return []
        signals.send(signals.event_received, self.consumer, messages)
        run_together(handovers)
        return [h.message for h in handovers if h.is_shared()]

    def _run_apart(
        self, subscription: HandlerSubscription, handovers: Sequence[Handover], lines: KeyLines
    ) -> list[Message]:
        """Have one isolated handler take these, in a savepoint; what fails is parked for it alone.

        :returns: what it took.
        """
        name = subscription.name
        lines.wait([h.message for h in handovers if lines.holds(h.message, name)], name)
        free = [h for h in handovers if not lines.holds(h.message, name)]
        if not free or self._succeeds(subscription, free) is None:
            return [h.message for h in free]
        taken = []
        for handover in free:
            message = handover.message
            if lines.holds(message, name):
                lines.wait([message], name)
            elif failure := self._succeeds(subscription, [handover]):
                lines.park(message, failure, name)
            else:
                taken.append(message)
        return taken

    def _succeeds(
        self, subscription: HandlerSubscription, handovers: Sequence[Handover]
    ) -> Failure | None:
        """Run an isolated handler in a savepoint.

        :returns: why it failed, and is rolled back; None if it succeeded.
        """
        try:
            with bus_atomic():
                run(subscription, [h.event for h in handovers])
        except Exception as error:
            self._raise_what_passes(error)
            if is_disconnected():  # the work of all others is lost with it
                raise
            return Failure.of(error)
        return None

    def _claim(self, messages: Sequence[Message]) -> list[Message]:
        """Write the inbox rows of what is new, and return it in its order, each once."""
        first = {message.identity: message for message in reversed(messages)}
        fresh = claim(self.consumer, first.keys())
        return [m for m in messages if m.identity in fresh and first[m.identity] is m]

    def _wanted(self, messages: Sequence[Message]) -> list[Message]:
        """Messages for this group that have a handler, and those that cannot be read."""
        types = {m.envelope.type for m in messages if m.envelope}
        wanted = {t for t in types if any(s.wants(t) for s in subscriptions)}
        return [m for m in messages if m.envelope is None or self._is_asked(m.envelope, wanted)]

    def _is_asked(self, envelope: Envelope, wanted: set[str]) -> bool:
        return envelope.type in wanted and envelope.is_for(self.consumer)

    def _raise_what_passes(self, error: Exception) -> None:
        cause = Failure.of(error).error
        if self.patience.waits_for(cause):
            raise cause


def _each_once(messages: Sequence[Message]) -> list[Message]:
    return list({message.identity: message for message in messages}.values())
