"""One step in one lane: claim due messages, send them, record the outcomes."""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import Error as DatabaseError
from django.db import transaction

from eventbus.database.errors import passes
from notification_service.notifications.channels import in_app, mail, webhooks
from notification_service.notifications.channels.outcomes import (
    NotSent,
    NotWanted,
    SendOutcome,
    Sent,
)
from notification_service.notifications.delivering import circuits
from notification_service.notifications.delivering.claims import LEASE, claim, give_back, is_mine
from notification_service.notifications.delivering.lanes import Lane
from notification_service.notifications.delivering.recording import record
from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.messages.words import Words
from notification_service.notifications.models import Delivery, Notification
from notification_service.notifications.models.subscriptions import Channel

MOST_NOTIFICATIONS = 500
MOST_MESSAGES = 20
"""Per step. At ten seconds each, they are done before the lease expires."""
MARGIN_SECONDS = 30.0
SHOWN_IN_APP = Sent("in the application")
SENDERS = {Channel.EMAIL: mail.sender, Channel.WEBHOOK: webhooks.sender}

log = structlog.get_logger(__name__)


def step(lane: Lane, stop: threading.Event) -> int:
    """Send some of what is due in a lane.

    :param stop: ends the step after the current message; the remaining ones are released.
    :returns: the number of messages processed.
    """
    if lane.channel == Channel.IN_APP:
        return _notify_in_app()
    return _send(lane, stop)


def _notify_in_app() -> int:
    """Deliver in-app notifications exactly once: with their record, in one transaction.

    If the batch cannot be written or committed, each message is written on its own.
    """
    words = Words.read()
    try:
        return _notify_together(words)
    except Exception as error:
        if passes(error):
            raise
        log.warning("a batch of notifications failed; writing each on its own", reason=str(error))
    messages = claim(Channel.IN_APP, None, MOST_NOTIFICATIONS)
    for message in messages:
        _notify_alone(message, words)
    return len(messages)


def _notify_together(words: Words) -> int:
    """Claim, write and record in one transaction."""
    with transaction.atomic():
        messages = claim(Channel.IN_APP, None, MOST_NOTIFICATIONS)
        written: list[Notification] = []
        notified: list[Delivery] = []

        def write(message: OutgoingMessage) -> SendOutcome:
            written.append(in_app.notification(message, words))
            notified.extend(message.deliveries)
            return SHOWN_IN_APP

        for message in messages:
            outcome = _outcome(write, message)
            if outcome is not SHOWN_IN_APP:
                record(message, outcome)
        Notification.objects.bulk_create(written)
        record(OutgoingMessage(notified), SHOWN_IN_APP)
    return len(messages)


def _notify_alone(message: OutgoingMessage, words: Words) -> None:
    """Write a claimed message. If that cannot be committed, it counts as an attempt."""

    def write(message: OutgoingMessage) -> SendOutcome:
        in_app.notification(message, words).save()
        return SHOWN_IN_APP

    try:
        with transaction.atomic():
            if is_mine(message):
                record(message, _outcome(write, message))
    except Exception as error:
        if passes(error):
            raise
        record(message, _unexpected(error, message))


def _send(lane: Lane, stop: threading.Event) -> int:
    most = 1 if circuits.is_on_probation(lane.name) else MOST_MESSAGES
    until = time.monotonic() + LEASE.total_seconds() - MARGIN_SECONDS
    messages = claim(lane.channel, lane.endpoint, most)
    done = 0
    with SENDERS[lane.channel](lane.endpoint, Words.read()) as send:
        for message in messages:
            if stop.is_set() or time.monotonic() > until:
                break
            outcome = _sent(send, message)
            record(message, outcome)
            done += 1
            if not circuits.note(lane.name, outcome):
                log.warning("a receiver keeps failing; pausing its lane", lane=lane.name)
                break
    give_back(messages[done:])
    return done


def _sent(send: Callable[[OutgoingMessage], SendOutcome], message: OutgoingMessage) -> SendOutcome:
    """Send a message and return the outcome. Only transient database errors are raised."""
    try:
        return _outcome(send, message)
    except DatabaseError as error:
        if passes(error):
            raise
        return _unexpected(error, message)


def _outcome(
    send: Callable[[OutgoingMessage], SendOutcome], message: OutgoingMessage
) -> SendOutcome:
    if reason := message.why_not_wanted():
        return NotWanted(reason)
    try:
        return send(message)
    except DatabaseError:
        raise
    except Exception as error:
        return _unexpected(error, message)


def _unexpected(error: Exception, message: OutgoingMessage) -> NotSent:
    """Retry after an unexpected error as well, and keep its reason."""
    log.error("a delivery failed", delivery=str(message.first.pk), exc_info=error)
    return NotSent(f"{type(error).__name__}: {error}")
