"""What the code of the guides does, once all of it is in the project."""

import json
from decimal import Decimal

import pytest
from django.core import mail
from django.db import transaction
from orders import warehouse
from orders.deleting import delete_order
from orders.importing import import_orders
from orders.models import Alert, Entry, Invoice, Order, Picking
from orders.placing import place_order
from orders.restoring import restore_order

from eventbus.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def down(monkeypatch):
    monkeypatch.setenv("WAREHOUSE", "down")
    return monkeypatch


def published():
    return list(OutboxEvent.objects.order_by("position").values_list("type", "sequence"))


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
