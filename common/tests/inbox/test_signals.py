"""Django signals of the worker: each tells of what has happened, and disturbs nothing."""

import pytest

from common.tests.app.models import Written
from common.tests.conftest import poison, product, written
from eventbus import outbox
from eventbus.inbox import signals
from eventbus.inbox.models import ParkedEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard():
    """What was heard: name, subject and sequence of the event, and the rest."""
    found = []
    receivers = {}

    def listen(name):
        def receive(sender, consumer, event, signal, **rest):
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


def names(heard):
    return [(name, what) for name, what, _ in heard]


def test_an_event_that_is_handled(bus, heard):
    outbox.publish(product())
    bus.run()
    assert names(heard) == [("event_received", "1.1"), ("event_handled", "1.1")]
    bus.consume_again()
    assert len(heard) == 2


def test_an_event_that_fails_is_parked_and_handled_later(bus, heard, heal):
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


def test_what_is_no_event_is_parked_without_one(bus, heard):
    bus.send("product.events", b"oops")
    bus.consume()
    [(name, event, rest)] = heard
    assert (name, event) == ("event_parked", None)
    assert rest["place"].offset == 0


def test_a_receiver_that_raises_disturbs_nobody(bus):
    def fail(**values):
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
