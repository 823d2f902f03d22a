"""Sending: claims, attempts, circuit breakers, digests."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import structlog
from django.contrib.auth.models import User
from django.core import mail
from django.db.utils import OperationalError
from django.utils import timezone
from pytest_django import Settings

from eventbus.testing.bus import Bus
from notification_service.notifications.channels import mail as mail_channel
from notification_service.notifications.channels.outcomes import NotSent, Refused, SendOutcome, Sent
from notification_service.notifications.delivering import deliverer, sending
from notification_service.notifications.delivering.claims import claim
from notification_service.notifications.delivering.lanes import lanes_due
from notification_service.notifications.delivering.pruning import notification_pruner
from notification_service.notifications.delivering.resending import resend
from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.messages.words import Words
from notification_service.notifications.models import (
    Circuit,
    Delivery,
    Endpoint,
    Notification,
    ProductEvent,
)
from notification_service.notifications.models.subscriptions import Channel
from notification_service.notifications.tests.rules import Follow, consume, deliver, send, texts

pytestmark = pytest.mark.django_db


class Script(list[SendOutcome]):
    """Answers of a mail server, and the messages that it has got."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[OutgoingMessage] = []


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Script:
    """The outcomes of sending mails, in order; ``sent`` collects the messages."""
    script = Script()

    class Sender:
        def __init__(self, endpoint: Endpoint | None, words: Words) -> None:
            pass

        def __enter__(self) -> Callable[[OutgoingMessage], SendOutcome]:
            return self.send

        def __exit__(self, *error: object) -> None:
            pass

        def send(self, message: OutgoingMessage) -> SendOutcome:
            script.sent.append(message)
            return script.pop(0) if script else Sent("250 OK")

    monkeypatch.setitem(sending.SENDERS, Channel.EMAIL, Sender)
    return script


def test_a_message_is_retried_until_its_attempts_are_used_up(
    bus: Bus, follow: Follow, answers: Script, later: Callable[[], None], settings: Settings
) -> None:
    settings.DELIVERY_ATTEMPTS = 3
    follow(channel="email")
    consume(bus, "product.created")
    answers += [NotSent("busy"), NotSent("busy still"), NotSent("busy yet")]
    deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.answer) == ("pending", 1, "busy")
    assert 2 <= (delivery.due_at - timezone.now()).total_seconds() <= 5
    for _ in range(2):
        later()
        deliver()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("failed", 3)
    assert delivery.answer == "failed after 3 attempts: busy yet"
    later()
    assert deliver() == 0


def test_a_receiver_can_delay_the_next_attempt(bus: Bus, follow: Follow, answers: Script) -> None:
    follow(channel="email")
    consume(bus, "product.created")
    answers.append(NotSent("busy", timezone.now() + timedelta(hours=2)))
    deliver()
    assert Delivery.objects.get().due_at > timezone.now() + timedelta(minutes=119)


def test_a_rejected_message_is_not_retried_and_does_not_pause_the_lane(
    bus: Bus, follow: Follow, answers: Script
) -> None:
    follow(channel="email")
    for number in range(7):
        send(bus, "product.created", id=number + 1)
    bus.consume()
    answers += [Refused("550 no such user")] * 6
    assert deliver() == 7
    assert Delivery.objects.filter(state="failed", answer="550 no such user").count() == 6
    assert Delivery.objects.filter(state="sent").count() == 1


def test_a_receiver_that_keeps_failing_is_paused(
    bus: Bus, follow: Follow, answers: Script, later: Callable[[], None]
) -> None:
    follow(channel="email")
    follow()
    for number in range(9):
        send(bus, "product.created", id=number + 1)
    bus.consume()
    answers += [NotSent("down")] * 5
    deliver()
    assert len(answers.sent) == 5
    assert len(texts()) == 9  # other lanes continue
    circuit = Circuit.objects.get(lane="email")
    assert circuit.open_until is not None
    assert 50 < (circuit.open_until - timezone.now()).total_seconds() <= 60
    untried = Delivery.objects.filter(channel="email", attempts=0)
    assert untried.count() == 4  # a pause is not an attempt
    later()
    answers.append(NotSent("down"))
    deliver()
    assert len(answers.sent) == 6  # one delivery tests whether it is back
    circuit.refresh_from_db()
    assert (circuit.open_until - timezone.now()).total_seconds() > 100
    later()
    deliver()
    assert Delivery.objects.filter(state="sent", channel="email").count() == 9
    assert Circuit.objects.get(lane="email").failures == 0


def test_a_message_is_retried_after_an_unexpected_error(
    bus: Bus, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose(*args: object) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(mail_channel, "compose", compose)
    follow(channel="email")
    consume(bus, "product.created")
    deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.answer) == ("pending", "RuntimeError: unexpected")


def test_an_error_rendering_one_message_does_not_affect_others(
    bus: Bus, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = Words.of

    def fail(words: Words, delivery: Delivery, language: str) -> str:
        if delivery.event.product_id == "1":
            raise RuntimeError("unexpected")
        return render(words, delivery, language)

    monkeypatch.setattr(Words, "of", fail)
    follow()
    for number in (1, 2):
        send(bus, "product.updated", id=number, previous={"price": "9.00"})
    bus.consume()
    deliver()
    assert len(texts()) == 1
    failed = Delivery.objects.get(state="pending")
    assert failed.answer == "RuntimeError: unexpected"


def test_the_claim_of_a_process_that_died_expires(
    bus: Bus, follow: Follow, later: Callable[[], None]
) -> None:
    follow()
    consume(bus, "product.created")
    assert len(claim("in_app", None, 10)) == 1
    assert not lanes_due()
    assert not claim("in_app", None, 10)
    later()
    deliver()
    assert Delivery.objects.get().attempts == 2
    assert len(texts()) == 1


def test_stopping_releases_messages_that_were_not_tried(
    bus: Bus, follow: Follow, answers: Script
) -> None:
    follow(channel="email")
    for number in range(3):
        send(bus, "product.created", id=number + 1)
    bus.consume()
    stop = threading.Event()
    stop.set()
    [lane] = lanes_due()
    assert sending.step(lane, stop) == 0
    assert not answers.sent
    assert Delivery.objects.filter(state="pending", attempts=0).count() == 3
    assert lanes_due()


@pytest.mark.parametrize("how", ["paused", "deleted", "user"])
def test_messages_that_are_no_longer_wanted_are_not_sent(
    bus: Bus, follow: Follow, user: User, answers: Script, how: str
) -> None:
    subscription = follow(channel="email")
    consume(bus, "product.created")
    if how == "deleted":
        subscription.delete()
    elif how == "paused":
        subscription.is_active = False
        subscription.save()
    else:
        user.is_active = False
        user.save()
    deliver()
    assert not answers.sent
    assert Delivery.objects.get().state == "cancelled"


def test_a_digest_is_a_single_message(bus: Bus, follow: Follow, later: Callable[[], None]) -> None:
    follow(schedule="daily", channel="email")
    follow(schedule="daily", language="de")
    for number in range(3):
        send(bus, "product.created", id=number + 1, name=f"Pot {number}")
    bus.consume()
    assert deliver() == 0  # not yet
    later()
    assert deliver() == 2
    [sent] = mail.outbox
    assert sent.subject == "3 updates on products you follow"
    assert [f"Pot {n} is now available" in sent.body for n in range(3)] == [True] * 3
    [text] = texts()
    assert text.startswith("3 Neuigkeiten zu Produkten, denen Sie folgen\nPot 0 ist jetzt für 5,00")
    assert Delivery.objects.filter(state="sent").count() == 6


def test_a_digest_that_failed_is_retried_as_a_single_message(
    bus: Bus, follow: Follow, later: Callable[[], None], answers: Script
) -> None:
    follow(schedule="daily", channel="email")
    for number in range(2):
        send(bus, "product.created", id=number + 1)
    bus.consume()
    later()
    answers.append(NotSent("busy"))
    deliver()
    later()
    deliver()
    assert [len(message.deliveries) for message in answers.sent] == [2, 2]


def test_resending(bus: Bus, follow: Follow) -> None:
    follow(channel="email")
    follow(schedule="daily")
    consume(bus, "product.created")
    deliver()
    assert resend(Delivery.objects.all()) == 1  # the other was never tried
    deliver()
    assert len(mail.outbox) == 2
    assert mail.outbox[0].extra_headers["Message-ID"] == mail.outbox[1].extra_headers["Message-ID"]


def test_old_rows_are_pruned_unless_a_delivery_is_pending(
    bus: Bus, follow: Follow, settings: Settings
) -> None:
    follow()
    consume(bus, "product.created")
    deliver()
    follow(schedule="daily")
    consume(bus, "product.deleted")
    deliver()
    long_ago = timezone.now() - timedelta(days=91)
    ProductEvent.objects.update(at=long_ago)
    Notification.objects.update(created_at=long_ago)
    settings.NOTIFICATION_RETENTION_DAYS = 0
    notification_pruner().prune()
    assert ProductEvent.objects.count() == 2
    settings.NOTIFICATION_RETENTION_DAYS = 90
    notification_pruner().prune()
    assert Delivery.objects.filter(state="pending").exists()
    assert ProductEvent.objects.get().type == "product.deleted"
    assert not Notification.objects.exists()


def test_a_database_that_is_away_is_waited_for_and_said_so_once(monkeypatch):
    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0)
    failures = [OperationalError("away") for _ in range(4)]
    asked = []

    def lanes():
        asked.append(1)
        if failures:
            raise failures.pop()
        return lanes_due()

    monkeypatch.setattr(deliverer, "lanes_due", lanes)
    with structlog.testing.capture_logs() as logs:
        deliverer.Deliverer(threading.Event(), concurrency=2, drain=True).run()
    assert [line["event"] for line in logs] == ["waiting for the database", "going on"]
    assert len(asked) == 5
