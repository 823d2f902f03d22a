"""Values are normalized, however they are written and whichever way they are entered."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, F, TextField, Value, When
from django.db.models.functions import Coalesce, Concat
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient
from tablib import Dataset

from eventbus.outbox.models import OutboxEvent
from product_service.products.exchange.formats import CSV, XLSX
from product_service.products.exchange.resource import ProductResource
from product_service.products.fields import normal
from product_service.products.models import Category, Product

pytestmark = pytest.mark.django_db

URL = "/api/products/"
ADMIN = "/admin/products/product/"
SKU = "K1"
FULL_WIDTH = "\uff11\uff12"
COUNTED = {"id", "version", "created_at", "updated_at"}
IN_THE_ADMIN = {"currency": "EUR", "stock": "0", "price": "1"}

odd = st.sampled_from(
    [*" \t\r\n\u00a0\u3000\u0301'=+-@\"\x01", "\r\n", "e\u0301", "\u00e9", "\u0958", "\u2126"]
)
texts = st.lists(odd | st.sampled_from("aZ0"), max_size=8).map("".join)
spelled_prices = [
    "24.5",
    "24.50",
    "1e1",
    "+5",
    "007",
    "-0",
    " 3 ",
    FULL_WIDTH,
    "1_0",
    ".5",
    "1.005",
]
prices = st.sampled_from([*spelled_prices, 24.5, 7, 0.1, -0.0, 10.0, 19.99])
stocks = st.sampled_from(
    ["3", "3.0", " 3", "+5", "007", "-0", FULL_WIDTH, "1_0", "2.9", 3, 3.0, -0.0, 2.9, True]
)
truths = st.sampled_from(
    ["true", "True", "YES", "y", "on", "1", 1, True, "false", "n", "Off", 0, 0.0, False, "maybe"]
)
currencies = st.sampled_from(["EUR", " EUR ", "eur", "USD\n", "\uff25UR"])
bodies = st.fixed_dictionaries(
    {"name": texts, "price": prices},
    optional={
        "description": texts,
        "stock": stocks,
        "is_active": truths,
        "currency": currencies,
        "category": st.sampled_from(["kitchen", None, "nowhere"]),
    },
)
skus = st.sampled_from([SKU, f" {SKU}\n", "k1", "e\u0301", "=1", "007"])
examples = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def kitchen() -> Category:
    return Category.objects.create(name="Kitchen", slug="kitchen")


def last_event() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(OutboxEvent.objects.order_by("-position")[0].payload)["data"]
    data.pop("previous", None)
    return data


def row_of(product: int) -> dict[str, Any]:
    """The row of the database in the format of the API, built without its code."""
    columns = ("id", "sku", "name", "description", "currency", "stock", "is_active", "version")
    row = Product.objects.values(*columns, "price", "category__slug").get(pk=product)
    category = row.pop("category__slug")
    return {**row, "price": f"{row['price']:.2f}", "category": category}


def check_one_form(client: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Check that the response, a later GET, the event and the row have the same values."""
    assert client.get(f"{URL}{answer['id']}/").json() == answer
    assert last_event() == answer
    assert row_of(answer["id"]).items() <= answer.items()
    assert not Decimal(answer["price"]).is_signed()
    for name in ("sku", "name", "description"):
        assert answer[name] == normal(answer[name])
    return {name: value for name, value in answer.items() if name not in COUNTED}


def by_api(client: Any, way: str, body: dict[str, Any]) -> Any:
    """Return the resulting product, or None if the body is rejected."""
    if way == "create":
        sent = client.post(URL, body, format="json")
        return sent.json() if sent.status_code == 201 else None
    if way == "bulk create":
        sent = client.post(f"{URL}bulk/", {"create": [body]}, format="json")
        return sent.json()["created"][0] if sent.status_code == 200 else None
    old = Product.objects.create(sku="OLD", name="Old", price="77.77", stock=77)
    if way == "bulk update":
        sent = client.post(f"{URL}bulk/", {"update": [{**body, "id": old.pk}]}, format="json")
        return sent.json()["updated"][0] if sent.status_code == 200 else None
    sent = getattr(client, way)(f"{URL}{old.pk}/", body, format="json")
    return sent.json() if sent.status_code == 200 else None


def by_admin(client: Any, way: str, body: dict[str, Any]) -> Any:
    form = {name: str(value) for name, value in body.items() if name != "category"}
    old = Product.objects.create(sku="OLD", name="Old", price="77.77") if way == "change" else None
    path = f"{old.pk}/change/" if old else "add/"
    sent = client.post(f"{ADMIN}{path}", {**IN_THE_ADMIN, **form})
    return client.get(f"{URL}{_newest()}/").json() if sent.status_code == 302 else None


def by_file(client: Any, way: str, body: dict[str, Any]) -> Any:
    made = CSV if way == "csv" else XLSX
    sheet = Dataset(list(body.values()), headers=list(body))
    read = made().create_dataset(made().export_data(sheet))
    result = ProductResource().import_data(read, rollback_on_validation_errors=True)
    assert not result.has_errors()
    refused = result.has_validation_errors()
    assert bool(result.problems) == refused
    return None if refused else client.get(f"{URL}{_newest()}/").json()


def _newest() -> int:
    newest: Product = Product.objects.latest("pk")
    return newest.pk


def values_by(client: Any, send: Any, way: str, body: dict[str, Any]) -> Any:
    """Return the resulting values of the fields in the body, or None if it is rejected."""
    with transaction.atomic():
        answer = send(client, way, body)
        values = answer and check_one_form(client, answer)
        transaction.set_rollback(True)
    return values and {name: values[name] for name in body}


@examples
@given(bodies, skus)
@example({"name": "a", "price": "-0"}, SKU)
@example({"name": "a", "price": "1", "description": "a\r\nb\rc"}, SKU)
@example({"name": "e\u0301", "price": "1"}, "e\u0301")
def test_all_writes_of_the_api_agree(
    editor: APIClient, kitchen: Category, body: dict[str, Any], sku: str
) -> None:
    """They accept the same spellings, with the same results."""
    ways = ["create", "put", "patch", "bulk create", "bulk update"]
    found = [values_by(editor, by_api, way, {"sku": sku, **body}) for way in ways]
    assert all(values == found[0] for values in found), dict(zip(ways, found, strict=True))


@examples
@given(bodies, skus)
@example({"name": "a\r\nb", "price": "-0"}, SKU)
def test_the_admin_agrees_with_the_api(
    editor: APIClient, admin_client: Client, kitchen: Category, body: dict[str, Any], sku: str
) -> None:
    body = {"sku": sku, **body}
    body.pop("category", None)
    body.pop("is_active", None)  # a checkbox has no spelling
    expected = values_by(editor, by_api, "create", body)
    for way in ("add", "change"):
        values = values_by(admin_client, by_admin, way, body)
        assert values is None or expected is None or values == expected


@examples
@given(bodies, skus)
@example({"name": "a", "price": 24.5}, SKU)
@example({"name": "a", "price": 7, "is_active": 0.0}, SKU)
def test_imports_agree_with_the_api(
    editor: APIClient, kitchen: Category, body: dict[str, Any], sku: str
) -> None:
    """CSV and Excel agree with each other. They accept more, but interpret nothing differently."""
    body = {"sku": sku, **body}
    expected = values_by(editor, by_api, "create", body)
    as_csv = values_by(editor, by_file, "csv", body)
    as_xlsx = values_by(editor, by_file, "xlsx", body)
    if expected is not None:
        assert as_csv == expected
    if as_xlsx is not None:
        assert as_xlsx == as_csv


@given(st.text())
@example("\u0344\r\n ")
def test_normalizing_is_idempotent(text: str) -> None:
    assert normal(normal(text)) == normal(text)


def test_every_way_of_the_orm_normalizes(kitchen: Category) -> None:
    """Without a serializer or a form."""
    pan = Product.objects.create(sku=" S1 ", name="e\u0301\r\n", price="-0")
    assert (pan.sku, pan.name, str(pan.price)) == ("S1", "\u00e9", "0.00")
    Product.objects.bulk_create([Product(sku="S2 ", name="\u2126", price="-0.001")])
    assert last_event()["sku"] == "S2"
    assert last_event()["price"] == "0.00"
    Product.objects.filter(sku="S2").update(name=" Pan ", price="-0")
    assert last_event()["name"] == "Pan"
    pan.name = "\tPot"
    Product.objects.bulk_update([pan], ["name"])
    assert last_event()["name"] == Product.objects.get(pk=pan.pk).name == "Pot"


@pytest.mark.parametrize(
    "values",
    [
        {"name": Concat(Value("New "), F("name"))},
        {"name": Concat(F("name"), Value("!"))},
        {"description": Concat(F("name"), Value(", "), F("sku"), output_field=TextField())},
        {"price": Case(When(stock=3, then=Value(Decimal("1.5"))), default=F("price"))},
        {"price": Coalesce(F("price"), Value(Decimal(1)))},
        {"currency": Case(When(stock=3, then=Value("USD")), default=F("currency"))},
    ],
)
def test_expressions_can_mix_these_fields_with_djangos(values: dict[str, Any]) -> None:
    pan = Product.objects.create(sku="S1", name="Pan", price="24.5", stock=3)
    Product.objects.update(**values)
    [name] = values
    pan.refresh_from_db()
    assert json.loads(json.dumps(last_event()[name])) == row_of(pan.pk)[name]


@pytest.mark.parametrize("character", ["\x01", "\x7f", "\x85x", "\x1b", "\ufffe", "\uffff"])
def test_control_characters_are_rejected(editor: APIClient, character: str) -> None:
    body = {"sku": "S1", "name": f"a{character}b", "price": "1"}
    for sent, data in ((URL, body), (f"{URL}bulk/", {"create": [body]})):
        answer = editor.post(sent, data, format="json")
        assert answer.status_code == 400
        assert "control character" in answer.json()["errors"][0]["detail"]
    with pytest.raises(ValidationError, match="control character"):
        Product(sku=f"a{character}b", name="b", price=1).full_clean()


def test_lengths_are_measured_after_normalizing(editor: APIClient) -> None:
    body = {"sku": "S1", "name": "e\u0301" * 200, "price": "1"}
    assert editor.post(URL, body, format="json").json()["name"] == "\u00e9" * 200
    answer = editor.post(URL, {**body, "sku": "S2", "name": "\u0958" * 101}, format="json")
    assert answer.json()["errors"][0]["code"] == "max_length"
