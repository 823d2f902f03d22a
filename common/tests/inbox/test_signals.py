"""Django signals of the worker: each reports what has happened, and affects nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from common.tests.app.models import Written
from common.tests.conftest import poison, product, written
from eventbus import outbox
from eventbus.events import Event
from eventbus.inbox import signals
from eventbus.inbox.models import ParkedEvent
from eventbus.inbox.taking.message import Message
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """The received signals: name, subject and sequence of the event, and the rest."""
    found = []
    receivers = {}

    def listen(name: str) -> Callable[..., None]:
        def receive(
            sender: type[Message],
            consumer: str,
            event: Event[Any] | None,
            signal: Signal,
            **rest: object,
        ) -> None:
            assert consumer == "bus_tests"
            found.append((name, event and f"{event.subject}.{event.sequence}", rest))

        receivers[name] = receive
        return receive

    names = ("event_received", "event_handled", "event_failed", "event_parked")
    for name in names:
        getattr(signals, name).connect(listen(name))
    yield found
    for name in names:
        getattr(signals, name).disconnect(receivers[name])


def names(heard: list[Any]) -> list[tuple[str, str]]:
    return [(name, what) for name, what, _ in heard]


def test_an_event_that_is_handled(bus: Bus, heard: list[Any]) -> None:
    outbox.publish(product())
    bus.run()
    assert names(heard) == [("event_received", "1.1"), ("event_handled", "1.1")]
    bus.consume_again()
    assert len(heard) == 2


def test_an_event_that_fails_is_parked_and_handled_later(
    bus: Bus, heard: list[Any], heal: Callable[[], None]
) -> None:
    outbox.publish(poison(1, 1))
    bus.run()
    assert names(heard) == [
        ("event_received", "1.1"),
        ("event_failed", "1.1"),
        ("event_parked", "1.1"),
    ]
    failed = heard[1][2]
    assert isinstance(failed["exception"], ValueError)
    assert failed["handler"] == "common.tests.app.handlers.write"
    heard.clear()
    bus.retry_parked()
    assert names(heard) == [("event_received", "1.1"), ("event_failed", "1.1")]
    heard.clear()
    heal()
    bus.retry_parked()
    assert names(heard) == [("event_received", "1.1"), ("event_handled", "1.1")]


def test_an_invalid_message_is_parked_without_an_event(bus: Bus, heard: list[Any]) -> None:
    bus.send("product.events", b"oops")
    bus.consume()
    [(name, event, rest)] = heard
    assert (name, event) == ("event_parked", None)
    assert rest["place"].offset == 0


def test_a_receiver_that_raises_affects_nothing(bus: Bus) -> None:
    def fail(**values: object) -> None:
        assert Written.objects.exists()
        raise RuntimeError("receiver")

    signals.event_handled.connect(fail)
    try:
        outbox.publish(product())
        assert bus.run().handled == 1
    finally:
        signals.event_handled.disconnect(fail)
    assert written() == ["1.1"]
    assert not ParkedEvent.objects.exists()
