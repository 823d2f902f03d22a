"""System checks report broken handlers before a worker starts."""

import pytest
from django.core.checks import run_checks

from common.contracts.product import ProductCreated, ProductDeleted
from common.tests.conftest import hopeless
from eventbus import outbox
from eventbus.events import Contract
from eventbus.inbox import subscribe
from eventbus.inbox.taking import subscriptions


@pytest.fixture
def own_subscriptions(monkeypatch):
    """Only the subscriptions of this test."""
    own = []
    for module in ("taking.subscriptions", "checks"):
        monkeypatch.setattr(f"eventbus.inbox.{module}.subscriptions", own)
    return own


def ids(**options):
    return sorted(message.id for message in run_checks(**options) if "inbox" in message.id)


def no_argument(): ...


def two_arguments(event, other): ...


async def asynchronous(event): ...


def generator(event):
    yield event


class Nowhere(Contract, frozen=True):
    pass


@pytest.mark.parametrize("handler", [no_argument, two_arguments, asynchronous, generator])
def test_a_handler_that_cannot_be_called(own_subscriptions, handler):
    subscribe(ProductCreated)(handler)
    assert ids() == ["eventbus_inbox.E002"]


def test_a_handler_that_can(own_subscriptions):
    @subscribe(ProductCreated)
    def handle(event, more=None): ...

    assert ids() == []


def test_two_handlers_of_one_name(own_subscriptions):
    def handle(event): ...

    subscribe(ProductCreated)(handle)
    subscribe(ProductDeleted)(handle)
    assert ids() == ["eventbus_inbox.E003"]


def test_an_event_that_no_topic_carries(own_subscriptions, settings):
    @subscribe(Nowhere)
    def handle(event): ...

    assert ids() == ["eventbus_inbox.E004"]


def test_an_event_whose_topic_is_not_read(own_subscriptions, settings):
    settings.EVENTBUS = {**settings.EVENTBUS, "CONSUMER_TOPICS": ["order.events"]}

    @subscribe(ProductCreated)
    def handle(event): ...

    assert ids() == ["eventbus_inbox.E004"]


@pytest.mark.django_db(databases=["default", "bus"])
def test_sqlite_takes_one_worker(settings):
    from django.db import connection

    settings.EVENTBUS = {**settings.EVENTBUS, "CONSUMER_CONCURRENCY": 2}
    assert ids() == (["eventbus_inbox.E005"] if connection.vendor == "sqlite" else [])


@pytest.mark.django_db(databases=["default", "bus"])
def test_the_dead_are_reported_when_the_database_is_checked(bus):
    assert ids(databases=["default"]) == []
    outbox.publish(hopeless(1, 1))
    bus.run()
    assert ids(databases=["default"]) == ["eventbus_inbox.W001"]
    assert ids() == []


def test_this_project_has_nothing_wrong():
    assert subscriptions.subscriptions
    assert ids() == []
