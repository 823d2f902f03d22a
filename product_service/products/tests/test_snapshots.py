"""Snapshots: the products as they are, in the order of their changes, and resumable."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from common.outbox.models import OutboxEvent
from product_service.products import snapshots
from product_service.products.models import Product
from product_service.products.tests.test_many import new, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def products() -> list[Product]:
    products = Product.objects.bulk_create(new(number) for number in range(5))
    Product.objects.filter(stock__gt=2).update(price=3)
    OutboxEvent.objects.all().delete()
    return products


def published() -> list[dict]:
    rows = OutboxEvent.objects.filter(type="product.snapshot").order_by("position")
    return [json.loads(row.payload) for row in rows]


def publish(*words: str) -> str:
    out = StringIO()
    call_command("publish_snapshot", *words, stdout=out)
    return out.getvalue()


def test_each_product_is_told_as_it_is(products):
    assert "5 snapshots published." in publish("--batch=2")
    told = published()
    assert {event["data"]["id"]: event["data"] for event in told} == stored()
    assert [event["sequence"] for event in told] == [1, 1, 1, 2, 2]
    assert Product.objects.get(sku="S0").version == 1


def test_some_can_be_chosen(products):
    chosen = [products[1].pk, products[3].pk]
    publish(f"--ids={chosen[0]},{chosen[1]}")
    assert [event["data"]["id"] for event in published()] == chosen
    latest = Product.objects.get(sku="S4").updated_at
    assert "2 snapshots" in publish(f"--since={latest.isoformat()}")
    assert "0 snapshots" in publish("--since=2999-01-01")


def test_it_goes_on_where_it_stopped(products):
    steps = snapshots.publish_snapshots(Product.objects.all(), after=0, batch_size=2)
    number, last = next(steps)
    assert (number, last) == (2, products[1].pk)
    assert "3 snapshots" in publish(f"--after={last}")
    assert [event["data"]["id"] for event in published()] == [p.pk for p in products]


def test_what_raw_sql_changed_is_told(products):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_product SET name = 'Wok' WHERE sku = 'S1'")
    publish()
    assert "Wok" in [event["data"]["name"] for event in published()]


@pytest.mark.parametrize("word", ["--since=yesterday", "--ids=a", "--batch=0", "--after=x"])
def test_what_makes_no_sense_is_one_line(word):
    with pytest.raises(CommandError) as refused:
        publish(word)
    assert len(str(refused.value).splitlines()) == 1
