"""What the code of the guides does, once all of it is in the project."""

import json
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.management import call_command
from django.db import transaction
from django.db.migrations.state import ProjectState
from django.utils import timezone
from orders import warehouse
from orders.deleting import delete_order
from orders.importing import import_orders
from orders.importing_users import import_users
from orders.models import Alert, Customer, Entry, Invoice, Order, Picking, Stock
from orders.placing import place_order
from orders.restoring import restore_order
from orders.stocktaking import write_off

from eventbus.capture import suppressed
from eventbus.capture.models import Suppression
from eventbus.capture.snapshotting.backfill import Backfill
from eventbus.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def down(monkeypatch):
    monkeypatch.setenv("WAREHOUSE", "down")
    return monkeypatch


def published(*aggregates):
    found = OutboxEvent.objects.order_by("position").values_list("type", "sequence")
    return list(found.filter(aggregatetype__in=aggregates) if aggregates else found)


def test_an_order_is_placed_and_handled(bus):
    order = place_order(Decimal("7.00"))
    assert published() == [("order.placed", 1)]
    bus.run()
    assert [(i.order_id, i.total) for i in Invoice.objects.all()] == [(order.pk, order.total)]
    assert Picking.objects.get().shelf == warehouse.find_shelf(order.pk)


def test_an_event_points_to_its_schema_on_the_page_of_events(client):
    place_order(Decimal("7.00"))
    schema = json.loads(OutboxEvent.objects.get().payload)["dataschema"]
    path = schema.removeprefix("https://shop.example.com")
    assert path in client.get("/events/").content.decode()
    assert set(client.get(path).json()["$defs"]) == {"OrderPlaced"}


def test_an_order_that_is_rolled_back_is_not_published():
    with transaction.atomic():
        place_order(Decimal("7.00"))
        transaction.set_rollback(True)
    assert published() == []


def test_many_orders_are_published_at_once(bus):
    import_orders([Decimal(total) for total in (1, 2, 3)])
    bus.run()
    assert Invoice.objects.count() == Order.objects.count() == 3


def test_an_order_that_returns_continues_its_sequence():
    order = place_order(Decimal("7.00"))
    gone = order.pk
    delete_order(order)
    restore_order(gone, Decimal("8.00"))
    assert published() == [("order.placed", 1), ("order.deleted", 2), ("order.placed", 3)]


def test_a_batch_handler_records_every_event_and_says_what_caused_its_own(bus):
    first, second = place_order(Decimal("7.00")), place_order(Decimal("8.00"))
    bus.run()
    reserved = OutboxEvent.objects.filter(type="stock.reserved")
    assert {r.aggregateid for r in reserved} == {str(first.pk), str(second.pk)}
    placed = OutboxEvent.objects.filter(type="order.placed")
    assert {json.loads(r.payload)["causationid"] for r in reserved} == {str(p.id) for p in placed}
    bus.run()
    kinds = ["order.placed", "stock.reserved"]
    assert sorted(Entry.objects.values_list("type", flat=True)) == sorted(2 * kinds)


def test_an_isolated_handler_does_not_wait_for_the_others(bus, down):
    place_order(Decimal("5000.00"))
    bus.run()
    assert (Invoice.objects.count(), Alert.objects.count()) == (0, 1)


def test_an_event_that_failed_is_retried_as_its_handler_says(bus, down):
    place_order(Decimal("7.00"))
    assert bus.run().parked == 1
    assert [m.subject for m in mail.outbox] == ["[Django] An event is parked"]
    bus.travel(minutes=1)
    assert Picking.objects.count() == 0
    down.delenv("WAREHOUSE")
    bus.travel(minutes=1)
    assert Picking.objects.count() == Invoice.objects.count() == 1


def test_changes_of_users_are_published_and_handled(bus):
    ada = User.objects.create_user("ada")
    ada.last_login = timezone.now()
    ada.save()
    ada.groups.add(Group.objects.create(name="buyers"))
    assert published("user", "user_group") == [("user.created", 1), ("user_group.created", 1)]
    User.objects.update(is_active=False)
    bus.run()
    assert list(Customer.objects.values_list("username", "is_active")) == [("ada", False)]
    ada.delete()
    bus.run()
    assert published("user_group") == [("user_group.created", 1), ("user_group.deleted", 2)]
    assert published("user")[1:] == [("user.updated", 2), ("user.deleted", 3)]
    assert not Customer.objects.exists()


def test_imported_users_are_recorded_until_a_snapshot_publishes_them(bus):
    import_users(["ada", "bob"])
    assert published() == []
    recorded = Suppression.objects.get()
    assert (recorded.event, recorded.changes) == ("user", 2)
    assert recorded.reason.startswith("users of the old shop")
    call_command("publish_snapshot", "user")
    bus.run()
    assert Customer.objects.count() == 2


def test_raw_sql_is_published_where_triggers_capture():
    stock = Stock.objects.create(sku="A", amount=5)
    write_off("A")
    write_off("A")
    assert published() == [("stock.created", 1), ("stock.updated", 2)]
    [data] = [json.loads(event.payload)["data"] for event in OutboxEvent.objects.all()[1:]]
    assert (data["amount"], data["previous"]) == (0, {"amount": 5})
    before, stock.changed_at = stock.changed_at, None
    stock.refresh_from_db()
    assert stock.changed_at != before


def test_rows_of_fixtures_are_published(tmp_path):
    rows = [
        {"model": "auth.user", "pk": 7, "fields": {"username": "ada", "password": "x"}},
        {"model": "orders.stock", "pk": 7, "fields": {"sku": "A"}},
    ]
    fixture = tmp_path / "rows.json"
    fixture.write_text(json.dumps(rows))
    call_command("loaddata", str(fixture), verbosity=0)
    assert published() == [("user.created", 1), ("stock.created", 1)]


def test_only_triggers_capture_historical_models():
    User.objects.create_user("ada")
    Stock.objects.create(sku="A")
    models = ProjectState.from_apps(apps).apps
    models.get_model("auth", "User").objects.update(is_active=False)
    models.get_model("orders", "Stock").objects.update(amount=1)
    assert published() == [("user.created", 1), ("stock.created", 1), ("stock.updated", 2)]


def test_a_snapshot_for_one_group_is_handled_by_no_other(bus):
    User.objects.create_user("ada")
    call_command("publish_snapshot", "user", group="audit")
    assert bus.run().handled == 1
    call_command("publish_snapshot", "user", group="shop")
    assert bus.run().handled == 1
    assert published() == [("user.created", 1), ("user.snapshot", 1), ("user.snapshot", 1)]


def test_a_snapshot_version_has_every_row_published_once():
    with suppressed(reason="the rows are older than the declaration"):
        Group.objects.create(name="buyers")
    assert [Backfill()() for _ in range(3)] == [True, False, False]
    assert published() == [("group.snapshot", 1)]
