"""Products recreated under their old key and changes by raw SQL reach both consumers."""

from typing import Any

import pytest

from tests.stack import Stack, eventually

pytestmark = pytest.mark.real_too

CREATE_AGAIN = """
from product_service.products.models import Product
Product.objects.bulk_create([Product(pk={id}, sku="AGAIN", name="Kettle again", price=5)])
"""
RAW_SQL = """
from django.db import connection
connection.cursor().execute("UPDATE products_product SET price = 9 WHERE id = {id}")
"""
CHANGE = """
from product_service.products.models import Product
Product.objects.filter(pk={id}).update(price=7)
"""


def timeline(stack: Stack, key: int) -> list[dict[str, Any]]:
    rows = stack.rows("audit", f"/api/subjects/product/{key}/timeline/")
    return sorted(rows, key=lambda row: row["sequence"])


def told(stack: Stack, key: int) -> list[str]:
    rows = stack.rows("notification", "/api/notifications/", product_id=key)
    return [row["text"] for row in sorted(rows, key=lambda row: row["id"])]


def test_both_consumers_see_the_recreated_and_the_current_product(stack: Stack) -> None:
    product = stack.create_product("AGAIN-1")
    key = product["id"]
    stack.client("product").delete(f"/api/products/{key}/").raise_for_status()
    stack.manage("product", "shell", "--command", CREATE_AGAIN.format(id=key))
    stack.manage("product", "shell", "--command", RAW_SQL.format(id=key))
    for _ in range(2):
        stack.manage("product", "publish_snapshot", f"--ids={key}")
    stack.manage("product", "shell", "--command", CHANGE.format(id=key))

    rows = eventually(lambda: (found := timeline(stack, key))[5:] and found)
    assert [(row["type"].partition(".")[2], row["sequence"]) for row in rows] == [
        ("created", 1),
        ("deleted", 2),
        ("created", 3),
        ("snapshot", 4),
        ("snapshot", 5),
        ("updated", 6),
    ]
    assert {row["missing"] for row in rows} == {None}
    price_changes = [
        {"field": "price", "old": "5.00", "new": "9.00"},
        {"field": "price", "old": "9.00", "new": "7.00"},
    ]
    assert [row["changed"] for row in rows[3:]] == [[price_changes[0]], [], [price_changes[1]]]
    state = stack.client("audit").get(f"/api/subjects/product/{key}/state/").json()
    assert (state["is_deleted"], state["data"]["price"]) == (False, "7.00")

    assert eventually(lambda: (texts := told(stack, key))[3:] and texts) == [
        "Kettle AGAIN-1 is now available for €19.90.",
        "Kettle AGAIN-1 was deleted.",
        "Kettle again is now available for €5.00.",
        "The price of Kettle again fell from €9.00 to €7.00 (by 22%).",
    ]
