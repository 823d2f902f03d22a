"""A value has one form, however it was spelled and whichever way it came in."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common.outbox.models import OutboxEvent
from product_service.products.models import Category, Product
from product_service.products.tests.test_exchange import run

pytestmark = pytest.mark.django_db

URL = "/api/products/"
SKU = "K1"

odd = st.sampled_from(
    [*" \t\r\n\u00a0\u3000\u0301'=+-@\"", "\r\n", "e\u0301", "\u00e9", "\u0958", "\u2126", "ﬁ", "🫖"]
)
texts = st.lists(odd | st.sampled_from("aZ0"), max_size=8).map("".join)
prices: st.SearchStrategy[Any] = st.sampled_from(
    ["24.5", "24.50", "1e1", "+5", "007", "-0", "-0.00", " 3 ", "１２.５", "1_0", ".5", "5.", "0E-9"]
    + [24.5, 7, 0.1, -0.0, 1e1, 19.99]
)
stocks: st.SearchStrategy[Any] = st.sampled_from(
    ["3", "3.0", " 3", "+5", "007", "-0", "１２", "1_0", 3, 3.0, -0.0, True]
)
truths: st.SearchStrategy[Any] = st.sampled_from(
    ["true", "True", "YES", "y", "on", "1", 1, True, "false", "n", "Off", 0, 0.0, False, " true "]
)
currencies = st.sampled_from(["EUR", " EUR ", "eur", "USD\n", "ＥＵＲ"])
bodies = st.fixed_dictionaries(
    {"name": texts, "price": prices},
    optional={
        "description": texts,
        "stock": stocks,
        "is_active": truths,
        "currency": currencies,
        "category": st.sampled_from(["kitchen", None, " kitchen "]),
    },
)
examples = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def last_event() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(OutboxEvent.objects.order_by("-position")[0].payload)["data"]
    data.pop("previous", None)
    return data


def row_of(product: int) -> dict[str, Any]:
    """What the database holds, in the form of the API but not by its code."""
    columns = ("sku", "name", "description", "currency", "stock", "is_active", "version")
    row = Product.objects.values(*columns, "price", "category__slug").get(pk=product)
    return {
        "id": product,
        **{name: row[name] for name in columns},
        "price": f"{row['price']:.2f}",
        "category": row["category__slug"],
    }


def check_one_form(client: Any, answer: dict[str, Any]) -> None:
    """What was answered, what is asked for later, what was told and what is stored."""
    assert client.get(f"{URL}{answer['id']}/").json() == answer
    assert last_event() == answer
    assert row_of(answer["id"]).items() <= answer.items()
    assert Decimal(answer["price"]).is_signed() is False
    for text in (answer["name"], answer["description"]):
        assert text == text.strip()
        assert "\r" not in text


@pytest.fixture
def kitchen() -> Category:
    return Category.objects.create(name="Kitchen", slug="kitchen")


def send_one(client: Any, way: str, body: dict[str, Any]) -> Any:
    """Send a body, and give back the answer about its product, or None if it was refused."""
    if way == "create":
        sent = client.post(URL, body, format="json")
        return sent.json() if sent.status_code == 201 else None
    if way == "bulk create":
        sent = client.post(f"{URL}bulk/", {"create": [body]}, format="json")
        return sent.json()["created"][0] if sent.status_code == 200 else None
    old = Product.objects.create(sku=SKU, name="Old", price="77.77", stock=77)
    if way == "bulk update":
        sent = client.post(f"{URL}bulk/", {"update": [{**body, "id": old.pk}]}, format="json")
        return sent.json()["updated"][0] if sent.status_code == 200 else None
    sent = getattr(client, way)(f"{URL}{old.pk}/", body, format="json")
    return sent.json() if sent.status_code == 200 else None


WAYS = ["create", "put", "patch", "bulk create", "bulk update"]


@examples
@given(body=bodies, sku=st.sampled_from([SKU, f" {SKU}\n", "k1", "e\u0301"]))
@example(body={"name": "a", "price": "-0"}, sku=SKU)
@example(body={"name": "a", "price": "1", "description": "a\r\nb\rc"}, sku=SKU)
@example(body={"name": "e\u0301", "price": "1"}, sku="e\u0301")
def test_all_ways_of_the_api_agree(editor, kitchen, body, sku):
    """One spelling becomes one value, in whichever request it comes."""
    found = []
    for way in WAYS:
        with transaction.atomic():
            answer = send_one(editor, way, {**body, "sku": sku})
            if answer is not None:
                check_one_form(editor, answer)
                counted = {"id", "version", "created_at", "updated_at"}
                values = {k: v for k, v in answer.items() if k not in counted}
                left_out = set(values) - set(body) - {"sku"}
                found.append({k: v for k, v in values.items() if k not in left_out})
            else:
                found.append(None)
            transaction.set_rollback(True)
    assert all(values == found[0] for values in found), found
