"""Outbox and inbox in a second database: none of their queries goes anywhere else."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.checks import run_checks
from django.db import connections, transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse
from kafka import TopicPartition

from common.contracts.product import ProductCreated
from common.tests.conftest import Settings, called, hopeless, poison, product, written
from common.tests.outbox.test_sequences import deleted
from common.tests.test_checks import ids
from eventbus import outbox
from eventbus.events import Event
from eventbus.inbox import subscribe
from eventbus.inbox.models import InboxMessage, LostMessages, ParkedEvent, ParkedKey, WorkerState
from eventbus.inbox.parking import decisions
from eventbus.inbox.running import health, losses
from eventbus.inbox.running.replay import Replay
from eventbus.inbox.running.stream import Loss
from eventbus.inbox.taking.subscriptions import HandlerSubscription, subscriptions
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.publishing import NoTransaction, WrongDatabase
from eventbus.outbox.relaying.health import waiting
from eventbus.outbox.relaying.pruning import outbox_pruner
from eventbus.outbox.sequences import last_sequences
from eventbus.running.lifecycle import missing_migrations
from eventbus.testing.bus import Bus

# Django rejects queries to databases that a test does not declare.
pytestmark = [pytest.mark.django_db(databases=["bus"]), pytest.mark.usefixtures("second_database")]
both = pytest.mark.django_db(databases=["default", "bus"])


@pytest.fixture(params=["OwnRouter", "OppositeRouter"])
def second_database(request: pytest.FixtureRequest, settings: Settings) -> None:
    """The bus is in the second database, whatever the project's router says."""
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "bus"}
    settings.DATABASE_ROUTERS = [f"common.tests.routers.{request.param}"]


@pytest.fixture
def nothing_of_the_bus_in_default() -> Iterator[None]:
    """Fail queries to the bus's tables in the first database; Django's own are allowed."""

    def refuse(execute: Callable[..., Any], sql: str, *arguments: object) -> Any:
        assert "eventbus_" not in sql, sql
        return execute(sql, *arguments)

    with connections["default"].execute_wrapper(refuse):
        yield


def test_events_are_published_relayed_and_handled_once(bus: Bus) -> None:
    outbox.publish(product(1), using="bus")
    outbox.publish_all([product(2), product(3)], using="bus")
    assert waiting() == 3
    bus.run()
    bus.consume_again()
    assert waiting() == 0
    assert written() == ["1.1", "2.1", "3.1"]
    assert InboxMessage.objects.count() == 3


def test_failed_events_are_parked_and_retried(bus: Bus, heal: Callable[[], None]) -> None:
    outbox.publish_all([poison(1, 1), product(1, 2), product(2)])
    bus.run()
    assert (health.parked(), health.dead()) == (2, 0)
    bus.travel(minutes=1)
    heal()
    bus.travel(minutes=10)
    assert health.parked() == 0
    assert written() == ["2.1", "1.1", "1.2"]


def test_the_line_of_an_isolated_handler(bus: Bus, own_handlers: list[HandlerSubscription]) -> None:
    @subscribe(ProductCreated, isolated=True)
    def fail(event: Event[Any]) -> None:
        raise ValueError(event.subject)

    outbox.publish_all([product(1, 1), product(1, 2)])
    bus.run()
    bus.travel(minutes=10)
    assert written() == ["1.1", "1.2"]
    assert ParkedKey.objects.get().handler.endswith("fail")
    own_handlers.pop()
    assert ids(["bus"]) == ["eventbus_inbox.W001", "eventbus_inbox.W002"]


def test_people_decide_by_command(bus: Bus, heal: Callable[[], None]) -> None:
    outbox.publish_all([hopeless(1, 1), product(1, 2), hopeless(2, 1)])
    bus.run()
    first, _, other = ParkedEvent.objects.order_by("parked_key", "id")
    assert "LookupError" in called("parked", "list")
    assert "LookupError" in called("parked", "show", str(first.pk))
    called("parked", "discard", str(first.pk), "--release", "--reason=junk", "--by=ann")
    decisions.retry_now(other.pk, by="ann")
    heal()
    assert "2 handled, 0 still parked" in called("parked", "retry", "--all")
    assert "junk" in called("parked", "show", str(first.pk))


def test_workers_are_seen(bus: Bus) -> None:
    outbox.publish(product())
    bus.run()
    WorkerState.objects.create(consumer="bus_tests", host="here", pid=1)
    assert "here:1" in called("workers")
    assert len(health.workers()) == 1


def test_losses_are_kept_and_counted() -> None:
    losses.report("bus_tests", Loss(TopicPartition("t", 0), first=1, following=4))
    losses.report("bus_tests", Loss(TopicPartition("t", 0), first=1, following=6))
    assert health.lost() == 5


def test_old_rows_are_pruned(bus: Bus) -> None:
    outbox.publish(product(1))
    bus.run()
    for rows, column in ((OutboxEvent, "published_at"), (InboxMessage, "received_at")):
        rows.objects.update(**{column: F(column) - timedelta(days=100)})
    outbox_pruner().prune()
    assert not OutboxEvent.objects.exists()
    outbox.publish(product(2))
    bus.run()
    assert InboxMessage.objects.count() == 1


def test_history_is_replayed(bus: Bus) -> None:
    outbox.publish(product(1))
    bus.run()
    replay = Replay(subscriptions, [], [], threading.Event())
    replay.take(bus.kafka.records("product.events"))
    assert replay.replayed.total() == 1
    assert written() == ["1.1", "1.1"]


def test_a_sequence_outlives_its_row() -> None:
    outbox.publish_all([product(1, 4), deleted(1, 4)])
    assert last_sequences("product", ["1"]) == {"1": 5}


def test_rows_are_deleted_where_they_are() -> None:
    worker = WorkerState.objects.create(consumer="bus_tests", host="here", pid=1)
    worker.delete()
    LostMessages(consumer="a", topic="t", partition=0, first=1, last=1).save()
    assert not WorkerState.objects.exists()
    assert LostMessages.objects.get()._state.db == "bus"


def test_migrations_are_looked_for_where_the_tables_are() -> None:
    assert missing_migrations(["eventbus_outbox", "eventbus_inbox", "app"]) == ""


@both
def test_a_check_of_another_database_asks_nothing_of_this_one(bus: Bus) -> None:
    outbox.publish(hopeless(1, 1))
    bus.run()
    assert ids(["bus"]) == ["eventbus_inbox.W001"]
    with connections["bus"].execute_wrapper(lambda *_: pytest.fail("a query")):
        run_checks(databases=["default"])


@pytest.mark.django_db(databases=["default", "bus"], transaction=True)
def test_a_transaction_of_another_database_does_not_count() -> None:
    line = r"^outbox\.publish\(\) requires a transaction .*: transaction\.atomic\(using='bus'\)$"
    with transaction.atomic(), pytest.raises(NoTransaction, match=line):
        outbox.publish(product())
    with transaction.atomic(using="bus"):
        outbox.publish(product())
    assert OutboxEvent.objects.count() == 1


@both
@pytest.mark.parametrize("publish", [outbox.publish, lambda e, **o: outbox.publish_all([e], **o)])
def test_a_change_in_another_database_is_refused(publish: Callable[..., object]) -> None:
    line = r"^The change is in the database 'default' but the outbox is in 'bus' .*$"
    expected = pytest.raises(WrongDatabase, match=line)
    with transaction.atomic(), transaction.atomic(using="bus"), expected as raised:
        publish(product(), using="default")
    assert "\n" not in str(raised.value)
    assert not OutboxEvent.objects.exists()


@both
@pytest.mark.usefixtures("nothing_of_the_bus_in_default")
def test_the_admin_shows_and_decides(bus: Bus, admin_client: Client) -> None:
    outbox.publish_all([hopeless(1, 1), product(1, 2), poison(2, 1), product(3)])
    bus.run()
    outbox.publish(product(4))
    WorkerState.objects.create(consumer="group", host="here", pid=1)
    LostMessages.objects.create(consumer="group", topic="t", partition=0, first=1, last=2)
    admin.autodiscover()
    for model in (OutboxEvent, ParkedKey, ParkedEvent, WorkerState, LostMessages):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages = [reverse(f"{name}_changelist")]
        pages += [reverse(f"{name}_change", args=[row.pk]) for row in model.objects.all()]
        pages += [reverse(f"{name}_history", args=[row.pk]) for row in model.objects.all()]
        assert {admin_client.get(page).status_code for page in pages} == {200}
    page = reverse("admin:eventbus_inbox_parkedevent_changelist")
    assert admin_client.get(f"{page}?parked_key__handler=&q=1").status_code == 200
    event = ParkedEvent.objects.all()[0]
    form = {"action": "discard", "_selected_action": event.pk, "reason": "junk"}
    assert admin_client.post(page, form).status_code == 302
    assert event.decisions.get().reason == "junk"


@both
def test_the_permission_to_decide_is_where_users_are() -> None:
    assert Permission.objects.using("default").filter(codename="resolve_parkedevent").exists()
