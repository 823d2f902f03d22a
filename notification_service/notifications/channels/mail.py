"""E-mail, through Django's configured mail backend."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils import translation

from notification_service.notifications.channels.outcomes import NotSent, Refused, SendOutcome, Sent
from notification_service.notifications.channels.unsubscribing import link
from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.messages.words import Words
from notification_service.notifications.models import Endpoint

MOST_LINES = 100
MOST_OF_SUBJECT = 150
PERMANENT = range(500, 600)
"""Permanent failures: repeating the command will not help (RFC 5321, section 4.2.1)."""


@contextmanager
def sender(
    endpoint: Endpoint | None, words: Words
) -> Iterator[Callable[[OutgoingMessage], SendOutcome]]:
    """Send mails over one connection to the mail server."""
    connection = get_connection()

    def send(message: OutgoingMessage) -> SendOutcome:
        subscription = message.subscription
        if subscription is None or not subscription.owner.email:
            return Refused("the user has no e-mail address")
        mail = compose(message, words, connection)
        try:
            connection.open()  # does nothing if it is open
            connection.send_messages([mail])
        except SMTPRecipientsRefused as error:
            [(code, said)] = error.recipients.values()
            return _refused(code, said)
        except SMTPDataError as error:
            return _refused(error.smtp_code, error.smtp_error)
        except (SMTPException, OSError) as error:
            _close(connection)
            return NotSent(f"{type(error).__name__}: {error}")
        return Sent(f"accepted for {subscription.owner.email}")

    try:
        yield send
    finally:
        _close(connection)


def compose(
    message: OutgoingMessage, words: Words, connection: Any = None
) -> EmailMultiAlternatives:
    """Compose the mail of a message as text and HTML, with an unsubscribe link."""
    subscription = message.subscription
    if subscription is None:
        raise ValueError("the subscription was deleted")
    language = subscription.language
    lines = [words.of(delivery, language) for delivery in message.deliveries[:MOST_LINES]]
    count = len(message.deliveries)
    subject = words.of_digest(count, language) if message.is_digest else lines[0]
    unsubscribe = link(subscription)
    context = {
        "lines": lines,
        "more": max(0, count - MOST_LINES),
        "unsubscribe": unsubscribe,
        "notifications": settings.PUBLIC_URL,
        "language": language,
    }
    with translation.override(language):
        text = render_to_string("notifications/mail.txt", context)
        html = render_to_string("notifications/mail.html", context)
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
    mail = EmailMultiAlternatives(
        subject=_one_line(subject),
        body=text,
        to=[subscription.owner.email],
        connection=connection,
        headers={
            # Identical for each attempt, so that mailboxes recognize duplicates.
            "Message-ID": f"<{message.first.pk}@{domain}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834
            "List-Unsubscribe": f"<{unsubscribe}>",  # RFC 2369
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",  # RFC 8058
        },
    )
    mail.attach_alternative(html, "text/html")
    return mail


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_OF_SUBJECT else f"{line[: MOST_OF_SUBJECT - 1]}…"


def _refused(code: int, said: bytes | str) -> SendOutcome:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    reason = f"{code} {' '.join(text.split())}"
    return Refused(reason) if code in PERMANENT else NotSent(reason)


def _close(connection: Any) -> None:
    try:
        connection.close()
    except (SMTPException, OSError):  # already closed
        connection.connection = None
