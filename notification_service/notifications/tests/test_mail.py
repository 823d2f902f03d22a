"""Mail, sent to a real mail server."""

import email
import email.policy
import re
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from eventbus.testing.bus import Bus
from notification_service.notifications.models import Delivery
from notification_service.notifications.tests.rules import Follow, consume, deliver

pytestmark = pytest.mark.django_db


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailboxes:
    """Receives mail, and rejects recipients on request."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals: list[str] = []

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 Message accepted"


@pytest.fixture
def mailboxes(settings: Settings) -> Iterator[Mailboxes]:
    boxes = Mailboxes()
    controller = Controller(boxes, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = controller.port
    yield boxes
    controller.stop()


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_has_text_and_html_and_an_unsubscribe_link(
    bus: Bus, follow: Follow, mailboxes: Mailboxes, client: Client
) -> None:
    subscription = follow(channel="email")
    consume(bus, "product.created", name='Pot <script>"x"</script>\nBcc: all@example.com')
    deliver()
    [mail] = mailboxes.mails
    assert (
        mail["Subject"].strip()
        == 'Pot <script>"x"</script> Bcc: all@example.com is now available for €5.00.'
    )
    assert mail["To"] == "ada@example.com"
    assert mail["Bcc"] is None
    text, html = body(mail, "plain"), body(mail, "html")
    assert 'Pot <script>"x"</script>' in text
    assert "Pot &lt;script&gt;&quot;x&quot;&lt;/script&gt;" in html
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    [url] = re.findall("<(.*)>", mail["List-Unsubscribe"])
    assert url in text
    assert url in html
    path = url.removeprefix("http://localhost:8002")
    assert b"Unsubscribe from these messages?" in client.get(path).content
    subscription.refresh_from_db()
    assert subscription.is_active  # link scanners only send GET
    assert b"no more" in client.post(path, {"List-Unsubscribe": "One-Click"}).content
    subscription.refresh_from_db()
    assert not subscription.is_active
    consume(bus, "product.deleted")
    deliver()
    assert len(mailboxes.mails) == 1


def test_mail_in_german(bus: Bus, follow: Follow, mailboxes: Mailboxes, client: Client) -> None:
    follow(channel="email", language="de")
    consume(bus, "product.updated", price="1234.50", previous={"price": "2000.00"})
    deliver()
    [mail] = mailboxes.mails
    assert (
        mail["Subject"].strip()
        == "Der Preis von Kettle <b> fiel von 2.000,00 € auf 1.234,50 € (um 38 %)."
    )
    assert "Sie erhalten diese Nachricht" in body(mail, "plain")
    [path] = re.findall("localhost:8002(/.*)>", mail["List-Unsubscribe"])
    assert "Diese Nachrichten abbestellen?" in client.get(path).content.decode()


def test_a_truncated_link_is_explained(client: Client) -> None:
    answer = client.get("/unsubscribe/x:y/")
    assert answer.status_code == 404
    assert b"truncated" in answer.content


@pytest.mark.parametrize(
    ("said", "state"),
    [("550 no such user", "failed"), ("450 mailbox busy", "pending")],
)
def test_permanent_and_temporary_rejections_of_a_recipient(
    *,
    bus: Bus,
    follow: Follow,
    mailboxes: Mailboxes,
    later: Callable[[], None],
    said: str,
    state: str,
) -> None:
    follow(channel="email")
    consume(bus, "product.created")
    mailboxes.refusals.append(said)
    deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.answer) == (state, said)
    later()
    deliver()
    assert len(mailboxes.mails) == (state == "pending")


def test_a_mail_server_that_cannot_be_reached(
    bus: Bus, follow: Follow, settings: Settings, later: Callable[[], None]
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    follow(channel="email")
    consume(bus, "product.created")
    deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    assert "refused" in delivery.answer


def test_a_user_without_an_address_gets_no_mail(bus: Bus, follow: Follow, user: User) -> None:
    user.email = ""
    user.save()
    follow(channel="email")
    consume(bus, "product.created")
    deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.answer) == ("failed", "the user has no e-mail address")
