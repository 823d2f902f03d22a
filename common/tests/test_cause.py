"""Events published by a handler name the event that caused them."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from common.contracts.product import ProductCreated, ProductDeleted
from common.tests.conftest import poison, product
from eventbus import outbox
from eventbus.events import Event
from eventbus.events.context import Context, use
from eventbus.inbox import caused_by, subscribe
from eventbus.inbox.models import ParkedEvent
from eventbus.inbox.taking.subscriptions import HandlerSubscription
from eventbus.outbox.models import OutboxEvent
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db


def gone(event: Event[Any]) -> ProductDeleted:
    """Any event that follows from another one."""
    fields = {name: getattr(event.data, name) for name in ProductDeleted.__struct_fields__}
    return ProductDeleted(**fields)


def origins(event_type: str) -> list[tuple[str, str | None, str, str]]:
    rows = OutboxEvent.objects.filter(type=event_type).order_by("position")
    published = [json.loads(row.payload) for row in rows]
    return [(e["subject"], e.get("causationid"), e["correlationid"], e["actor"]) for e in published]


@pytest.fixture
def expected(bus: Bus) -> list[tuple[str, str, str, str]]:
    """Two products, created by two users in two requests. Returns what follow-ups must record."""
    for number, name in ((1, "ann"), (2, "bob")):
        with use(Context(f"request-{number}", partial(str, name))):
            outbox.publish(product(number))
    ids = [str(row.id) for row in OutboxEvent.objects.order_by("position")]
    return [("1", ids[0], "request-1", "ann"), ("2", ids[1], "request-2", "bob")]


def test_a_handler_of_one_event_has_a_cause(
    bus: Bus, expected: list[tuple[str, str, str, str]], own_handlers: list[HandlerSubscription]
) -> None:
    @subscribe(ProductCreated)
    def follow(event: Event[Any]) -> None:
        outbox.publish(gone(event))

    bus.run()
    assert origins("product.deleted") == expected


@pytest.mark.parametrize("isolated", [False, True])
def test_a_batch_handler_states_the_cause(
    bus: Bus,
    expected: list[tuple[str, str, str, str]],
    own_handlers: list[HandlerSubscription],
    isolated: bool,
) -> None:
    @subscribe(ProductCreated, batch=True, isolated=isolated)
    def follow(events: list[Event[Any]]) -> None:
        for event in reversed(events):
            with caused_by(event):
                outbox.publish_all([gone(event)])

    bus.run()
    assert sorted(origins("product.deleted")) == expected


@pytest.mark.parametrize("numbers", [1, 2])
def test_a_batch_handler_that_states_no_cause_is_refused(
    bus: Bus, own_handlers: list[HandlerSubscription], numbers: int
) -> None:
    @subscribe(ProductCreated, batch=True)
    def follow(events: list[Event[Any]]) -> None:
        with caused_by(events[0]):
            outbox.publish(gone(events[0]))
        outbox.publish(gone(events[0]))

    for number in range(numbers):
        outbox.publish(product(number + 1))
    assert bus.run().failed == numbers
    for row in ParkedEvent.objects.all():
        assert row.error.startswith("CauseUnknown: ")
        assert "follow is a batch handler" in row.error
        assert "with caused_by(event): outbox.publish(...)" in row.error
    assert origins("product.deleted") == []


def test_it_is_the_same_in_a_retry(
    bus: Bus, own_handlers: list[HandlerSubscription], heal: Callable[[], None]
) -> None:
    @subscribe(ProductCreated, batch=True)
    def follow(events: list[Event[Any]]) -> None:
        for event in events:
            with caused_by(event):
                outbox.publish(gone(event))

    with use(Context("request-1", lambda: "ann")):
        outbox.publish(poison(1, 1))
    bus.run()
    assert origins("product.deleted") == []
    heal()
    bus.travel(seconds=10)
    event_id = str(OutboxEvent.objects.get(type="product.created").id)
    assert origins("product.deleted") == [("1", event_id, "request-1", "ann")]


def test_a_batch_handler_may_publish_in_a_context_of_its_own(
    bus: Bus, expected: list[tuple[str, str, str, str]], own_handlers: list[HandlerSubscription]
) -> None:
    @subscribe(ProductCreated, batch=True)
    def follow(events: list[Event[Any]]) -> None:
        with use(Context("nightly", lambda: "system:nightly")):
            outbox.publish(gone(events[0]))

    bus.run()
    assert origins("product.deleted")[0][1:] == (None, "nightly", "system:nightly")


def test_without_an_actor_the_process_is_the_actor(
    bus: Bus, expected: list[tuple[str, str, str, str]], own_handlers: list[HandlerSubscription]
) -> None:
    """Not the actor of the enclosing event."""
    row = OutboxEvent.objects.latest("position")
    anonymous = json.loads(row.payload)
    del anonymous["actor"]
    bus.send(row.topic, json.dumps(anonymous).encode(), key=b"2")

    @subscribe(ProductCreated)
    def follow(event: Event[Any]) -> None:
        with caused_by(event):
            outbox.publish(gone(event))

    bus.consume()
    [(_, _, correlation, actor)] = origins("product.deleted")
    assert correlation == "request-2"
    assert actor.startswith("system:")
