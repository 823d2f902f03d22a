"""Snapshots publish the current state of products, in order, and can be resumed."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from eventbus.capture.snapshots import publish_snapshots
from eventbus.outbox.models import OutboxEvent
from product_service.products.events import ProductEvents
from product_service.products.models import Product
from product_service.products.tests.test_many import new, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def products() -> list[Product]:
    products = Product.objects.bulk_create(new(number) for number in range(5))
    Product.objects.filter(stock__gt=2).update(price=3)
    OutboxEvent.objects.all().delete()
    return products


def published() -> list[dict[str, Any]]:
    rows = OutboxEvent.objects.filter(type="product.snapshot").order_by("position")
    return [json.loads(row.payload) for row in rows]


def publish(*words: str) -> str:
    out = StringIO()
    call_command("publish_snapshot", *words, stdout=out)
    return out.getvalue()


def test_the_current_state_is_published(products: list[Product]) -> None:
    assert "5 snapshots published." in publish("--batch=2")
    told = published()
    assert {event["data"]["id"]: event["data"] for event in told} == stored()
    assert [event["sequence"] for event in told] == [2, 2, 2, 3, 3]
    assert Product.objects.get(sku="S0").version == 2


def test_a_snapshot_increments_the_version_but_not_updated_at(products: list[Product]) -> None:
    before = dict(Product.objects.values_list("pk", "updated_at"))
    publish()
    publish()
    assert [event["sequence"] for event in published()] == [2, 2, 2, 3, 3, 3, 3, 3, 4, 4]
    assert dict(Product.objects.values_list("pk", "updated_at")) == before
    Product.objects.filter(sku="S0").update(stock=9)
    assert Product.objects.get(sku="S0").version == 4


def test_a_snapshot_invalidates_etags(products: list[Product], editor: APIClient) -> None:
    url = f"/api/products/{products[0].pk}/"
    seen = editor.get(url)["ETag"]
    publish()
    assert (
        editor.patch(url, {"stock": 7}, format="json", headers={"If-Match": seen}).status_code
        == 412
    )


SET_BACK = "UPDATE products_product SET version = 0"
INSERT_AGAIN = """
CREATE TEMPORARY TABLE kept AS SELECT * FROM products_product;
UPDATE kept SET version = 0;
DELETE FROM products_product;
INSERT INTO products_product SELECT * FROM kept;
DROP TABLE kept
"""


@pytest.mark.parametrize("statements", [SET_BACK, INSERT_AGAIN], ids=["set back", "inserted again"])
def test_a_snapshot_exceeds_all_published_sequences(statements: str) -> None:
    Product.objects.bulk_create(new(number) for number in range(3))
    for stock in (50, 60, 70):
        Product.objects.filter(sku__in=["S0", "S1"]).update(stock=stock)
    with connection.cursor() as cursor:
        for statement in statements.split(";"):
            cursor.execute(statement)
    Product.objects.filter(sku="S0").update(
        stock=80
    )  # publishes a sequence that consumers have seen
    publish("--batch=2")
    assert [event["sequence"] for event in published()] == [5, 5, 2]
    assert [product.version for product in Product.objects.order_by("sku")] == [5, 5, 2]


def test_rows_inserted_by_raw_sql_start_at_one(products: list[Product]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO products_product (sku, name, description, price, currency, stock, "
            "is_active, version, created_at, updated_at) SELECT 'RAW', name, description, price, "
            "currency, stock, is_active, 0, created_at, updated_at "
            "FROM products_product WHERE sku = 'S1'"
        )
    publish()
    assert [event["sequence"] for event in published() if event["data"]["sku"] == "RAW"] == [1]


def test_the_number_of_queries_is_constant(products: list[Product]) -> None:
    def queries(batch: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            next(publish_snapshots(ProductEvents, Product.objects.all(), None, batch))
        return len(captured)

    assert queries(2) == queries(5) <= 8


def test_products_can_be_selected(products: list[Product]) -> None:
    chosen = [products[1].pk, products[3].pk]
    publish(f"--ids={chosen[0]},{chosen[1]}")
    assert [event["data"]["id"] for event in published()] == chosen
    latest = Product.objects.get(sku="S4").updated_at
    assert "2 snapshots" in publish(f"--since={latest.isoformat()}")
    assert "0 snapshots" in publish("--since=2999-01-01")


def test_a_snapshot_can_be_resumed(products: list[Product]) -> None:
    steps = publish_snapshots(ProductEvents, Product.objects.all(), None, batch_size=2)
    number, last = next(steps)
    assert (number, last) == (2, products[1].pk)
    assert "3 snapshots" in publish(f"--after={last}")
    assert [event["data"]["id"] for event in published()] == [p.pk for p in products]


def test_changes_by_raw_sql_are_published(products: list[Product]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_product SET name = 'Wok' WHERE sku = 'S1'")
    publish()
    assert "Wok" in [event["data"]["name"] for event in published()]


@pytest.mark.parametrize("word", ["--since=yesterday", "--ids=a", "--batch=0", "--after=x"])
def test_invalid_options_are_rejected_with_one_line(word: str) -> None:
    with pytest.raises(CommandError) as refused:
        publish(word)
    assert len(str(refused.value).splitlines()) == 1
