"""Processing: inbox rows and the writes of the handlers in a single transaction."""

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
    """Processes messages with exactly-once effects in the database, in order within a key.

    :param consumer: the consumer group that the inbox belongs to.
    """

    consumer: str
    patience: Patience = field(default_factory=Patience)

    def process(self, messages: Sequence[Message]) -> Iterator[Outcome]:
        """Handle or park every message that the inbox does not know.

        :returns: outcomes, each yielded as soon as it is committed.
        :raises django.db.Error: on a transient database error. Committed work remains; processing
            all messages again is safe.
        """
        try:
            outcome = self._take(messages)
        except Exception as error:
            self._raise_what_passes(error)
            if len(messages) == 1:
                yield self._take_alone(messages[0], error)
                return
            log.warning("batch failed; processing it event by event", error=Failure.of(error).text)
        else:
            yield outcome
            return
        for message in messages:
            yield from self.process([message])

    def _take_alone(self, message: Message, error: Exception) -> Outcome:
        """Park a failed message for the handlers whose failure it is.

        An error raised in a handler that is not isolated leaves no doubt. One raised by COMMIT (a
        deferred constraint) may be due to any handler: isolated handlers then get the message in
        separate transactions, and it is parked for the others only if COMMIT still fails.
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
        """Process messages in one transaction.

        :param failure: if given, park the messages for this reason instead of passing them to the
            handlers that are not isolated.
        :param put_off: queue them in the lines of isolated handlers instead of running these.
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
        lines.report()
        return Outcome(handled, lines.parked, len(lines.failed))

    def _run_together(
        self, handovers: Sequence[Handover], lines: KeyLines, failure: Failure | None
    ) -> list[Message]:
        """Run the handlers that are not isolated, or park the messages for all of them.

        :returns: the messages that they handled.
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
        """Run one isolated handler in a savepoint; failed messages are parked for it alone.

        :returns: the messages that it handled.
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

        :returns: why it failed and was rolled back; None if it succeeded.
        """
        try:
            with bus_atomic():
                run(subscription, [h.event for h in handovers])
        except Exception as error:
            self._raise_what_passes(error)
            if is_disconnected():  # the transaction is lost, and all other work in it
                raise
            return Failure.of(error)
        return None

    def _claim(self, messages: Sequence[Message]) -> list[Message]:
        """Insert the inbox rows of new messages, and return these in order, without duplicates."""
        first = {message.identity: message for message in reversed(messages)}
        fresh = claim(self.consumer, first.keys())
        return [m for m in messages if m.identity in fresh and first[m.identity] is m]

    def _wanted(self, messages: Sequence[Message]) -> list[Message]:
        """Messages for this group that have a handler, and unreadable ones, which will be parked."""
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
