"""Records the outcome of a message."""

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from eventbus.inbox import Retry
from eventbus.inbox.taking.failures import storable
from notification_service.notifications.channels.outcomes import (
    NotSent,
    NotWanted,
    Refused,
    SendOutcome,
    Sent,
)
from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.models import Delivery

State = Delivery.State
MOST_OF_ANSWER = 500
FINAL = {Sent: State.SENT, Refused: State.FAILED, NotWanted: State.CANCELLED}


def retry() -> Retry:
    """When a message is retried, and how often: 16 attempts take about a day."""
    return Retry(attempts=settings.DELIVERY_ATTEMPTS, backoff=5.0, max_backoff=6 * 3600.0)


def record(message: OutgoingMessage, outcome: SendOutcome) -> None:
    """Record the outcome for each delivery of a message: finished, or due again later."""
    if isinstance(outcome, NotSent):
        _again(message, outcome)
        return
    said = outcome.answer if isinstance(outcome, Sent) else outcome.reason
    _finish(message, FINAL[type(outcome)], said)


def _again(message: OutgoingMessage, outcome: NotSent) -> None:
    attempts = message.first.attempts
    wait = retry().wait(attempts, OSError(outcome.reason))
    if wait is None:
        _finish(message, State.FAILED, f"failed after {attempts} attempts: {outcome.reason}")
        return
    when = timezone.now() + wait
    if outcome.not_before is not None:
        when = max(when, outcome.not_before)
    if message.subscription is not None:
        when = message.subscription.after_quiet(when)
    _pending(message).update(due_at=when, answer=_kept(outcome.reason))


def _finish(message: OutgoingMessage, state: State, said: str) -> None:
    _pending(message).update(state=state, answer=_kept(said), finished_at=timezone.now())


def _kept(said: str) -> str:
    """Shorten a response to what is stored, without bytes that a database cannot store."""
    return storable(said)[:MOST_OF_ANSWER]


def _pending(message: OutgoingMessage) -> QuerySet[Delivery]:
    """Those still pending: another process may have finished them after the lease expired."""
    return message.rows().filter(state=State.PENDING)
