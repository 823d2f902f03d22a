"""System checks report broken handlers before a worker starts."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.checks import run_checks

from common.contracts.product import ProductCreated, ProductDeleted
from common.tests.conftest import Settings, hopeless
from eventbus import outbox
from eventbus.events import Contract, Event
from eventbus.inbox import subscribe
from eventbus.inbox.taking import subscriptions
from eventbus.inbox.taking.subscriptions import HandlerSubscription
from eventbus.testing.bus import Bus


@pytest.fixture
def own_subscriptions(monkeypatch: pytest.MonkeyPatch) -> list[HandlerSubscription]:
    """Only the subscriptions of this test."""
    own: list[HandlerSubscription] = []
    for module in ("taking.subscriptions", "checks"):
        monkeypatch.setattr(f"eventbus.inbox.{module}.subscriptions", own)
    return own


def ids(databases: list[str] | None = None) -> list[str]:
    found = (message.id or "" for message in run_checks(databases=databases))
    return sorted(one for one in found if "inbox" in one)


def no_argument() -> None: ...


def two_arguments(event: Event[Any], other: object) -> None: ...


async def asynchronous(event: Event[Any]) -> None: ...


def generator(event: Event[Any]) -> Iterator[Event[Any]]:
    yield event


class Nowhere(Contract, frozen=True):
    pass


@pytest.mark.parametrize("handler", [no_argument, two_arguments, asynchronous, generator])
def test_a_handler_that_cannot_be_called(
    own_subscriptions: list[HandlerSubscription], handler: Callable[..., Any]
) -> None:
    subscribe(ProductCreated)(handler)
    assert ids() == ["eventbus_inbox.E002"]


def test_a_handler_that_can(own_subscriptions: list[HandlerSubscription]) -> None:
    @subscribe(ProductCreated)
    def handle(event: Event[Any], more: object = None) -> None: ...

    assert ids() == []


def test_two_handlers_of_one_name(own_subscriptions: list[HandlerSubscription]) -> None:
    def handle(event: Event[Any]) -> None: ...

    subscribe(ProductCreated)(handle)
    subscribe(ProductDeleted)(handle)
    assert ids() == ["eventbus_inbox.E003"]


def test_an_event_that_no_topic_carries(
    own_subscriptions: list[HandlerSubscription], settings: Settings
) -> None:
    @subscribe(Nowhere)
    def handle(event: Event[Any]) -> None: ...

    assert ids() == ["eventbus_inbox.E004"]


def test_an_event_whose_topic_is_not_read(
    own_subscriptions: list[HandlerSubscription], settings: Settings
) -> None:
    settings.EVENTBUS = {**settings.EVENTBUS, "CONSUMER_TOPICS": ["order.events"]}

    @subscribe(ProductCreated)
    def handle(event: Event[Any]) -> None: ...

    assert ids() == ["eventbus_inbox.E004"]


@pytest.mark.django_db(databases=["default", "bus"])
def test_sqlite_takes_one_worker(settings: Settings) -> None:
    from django.db import connection

    settings.EVENTBUS = {**settings.EVENTBUS, "CONSUMER_CONCURRENCY": 2}
    assert ids() == (["eventbus_inbox.E005"] if connection.vendor == "sqlite" else [])


@pytest.mark.django_db(databases=["default", "bus"])
def test_the_dead_are_reported_when_the_database_is_checked(bus: Bus) -> None:
    assert ids(databases=["default"]) == []
    outbox.publish(hopeless(1, 1))
    bus.run()
    assert ids(databases=["default"]) == ["eventbus_inbox.W001"]
    assert ids() == []


def test_this_project_has_nothing_wrong() -> None:
    assert subscriptions.subscriptions
    assert ids() == []
