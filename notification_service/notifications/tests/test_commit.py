"""A failure while writing or committing counts for its own delivery, and blocks no other."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import DatabaseError, IntegrityError
from pytest_django import Settings

from eventbus.testing.bus import Bus
from notification_service.notifications.channels import in_app
from notification_service.notifications.channels import mail as mail_channel
from notification_service.notifications.delivering.claims import claim
from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.messages.words import Words
from notification_service.notifications.models import Delivery, Endpoint, Notification
from notification_service.notifications.tests.rules import Follow, deliver, send, texts

NOBODY = 2_000_000_000


def follow_products(bus: Bus, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        send(bus, "product.created", id=number)
    bus.consume()


@pytest.fixture
def to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address the notification of product 1 to a missing user, which only fails at COMMIT."""
    make = in_app.notification

    def notification(message: OutgoingMessage, words: Words) -> Notification:
        row = make(message, words)
        if row.product_id == "1":
            row.user_id = NOBODY
        return row

    monkeypatch.setattr(in_app, "notification", notification)


@pytest.mark.django_db(transaction=True)
def test_a_notification_that_fails_at_commit_is_counted_and_blocks_no_other(
    bus: Bus, follow: Follow, later: Callable[[], None], settings: Settings, to_nobody: None
) -> None:
    settings.DELIVERY_ATTEMPTS = 2
    follow()
    follow_products(bus, (1, 2, 3))
    deliver()
    assert len(texts()) == 2
    failed = Delivery.objects.get(state="pending")
    assert (failed.event.product_id, failed.attempts) == ("1", 1)
    assert failed.answer.startswith("IntegrityError: ")
    later()
    deliver()
    failed.refresh_from_db()
    assert (failed.state, failed.attempts) == ("failed", 2)
    assert Notification.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_message_that_another_process_has_sent_is_not_sent_again(
    bus: Bus, follow: Follow, monkeypatch: pytest.MonkeyPatch, to_nobody: None
) -> None:
    """The lease expired while this process was paused."""
    from notification_service.notifications.delivering import sending

    follow()
    follow_products(bus, (1, 2))

    def claim_late(channel: str, endpoint: Endpoint | None, most: int) -> list[OutgoingMessage]:
        messages = claim(channel, endpoint, most)
        Delivery.objects.filter(event__product_id="2").update(state="sent")
        return messages

    monkeypatch.setattr(sending, "claim", claim_late)
    deliver()
    assert texts() == []


@pytest.mark.django_db(transaction=True)
def test_a_database_error_counts_for_the_mail_that_caused_it(
    bus: Bus, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = mail_channel.compose

    def fail_once(message: OutgoingMessage, *rest: Any) -> EmailMultiAlternatives:
        if message.first.event.product_id == "1":
            raise IntegrityError("caused by this mail") from DatabaseError()
        return compose(message, *rest)

    monkeypatch.setattr(mail_channel, "compose", fail_once)
    follow(channel="email")
    follow_products(bus, (1, 2))
    deliver()
    states = Delivery.objects.order_by("event__product_id").values_list("state", "answer")
    assert states[0] == ("pending", "IntegrityError: caused by this mail")
    assert states[1][0] == "sent"
