"""Changes of a single product, through the ORM and the API, and their events."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from eventbus.outbox.models import OutboxEvent
from product_service.products.models import Category, Product

pytestmark = pytest.mark.django_db


@pytest.fixture
def kettle() -> Product:
    product = Product.objects.create(sku="K1", name="Kettle", price="19.9", stock=3)
    OutboxEvent.objects.all().delete()
    return product


def events() -> list[dict[str, Any]]:
    return [json.loads(row.payload) for row in OutboxEvent.objects.all()]


def test_the_created_event_has_the_data_of_the_api(editor: APIClient) -> None:
    shelf = Category.objects.create(name="Kitchen", slug="kitchen")
    body = {"sku": "K1", "name": "Kettle", "price": "19.9", "category": shelf.slug}
    answer = editor.post("/api/products/", body, format="json", headers={"X-Request-ID": "r-1"})
    assert answer.status_code == 201
    [event] = events()
    assert event["data"] == answer.json()
    assert event["type"] == "product.created"
    assert (event["sequence"], event["subject"], event["actor"]) == (
        1,
        str(answer.data["id"]),
        "eve",
    )
    assert event["correlationid"] == answer["X-Request-ID"] == "r-1"


def test_an_update_carries_the_old_values_of_what_changed(kettle: Product) -> None:
    kettle.price = Decimal("17.50")
    kettle.save()
    [event] = events()
    assert event["data"]["previous"] == {"price": "19.90"}
    assert (event["data"]["price"], event["sequence"]) == ("17.50", 2)


def test_saving_without_a_change_publishes_nothing(kettle: Product) -> None:
    Product.objects.get().save()
    kettle.price = 19.90
    kettle.save()
    assert events() == []
    assert Product.objects.get().version == 1


def test_an_expression_is_published_as_its_value(kettle: Product) -> None:
    kettle.stock = F("stock") - 1
    kettle.save(update_fields=["stock"])
    [event] = events()
    assert (event["data"]["stock"], event["data"]["previous"]) == (2, {"stock": 3})
    assert Product.objects.get().version == 2


def test_fields_excluded_by_update_fields_are_not_published(kettle: Product) -> None:
    kettle.name, kettle.price = "Pot", Decimal("17.50")
    kettle.save(update_fields=["price"])
    [event] = events()
    assert event["data"]["previous"] == {"price": "19.90"}
    assert (event["data"]["name"], event["data"]["price"]) == ("Kettle", "17.50")
    stored = Product.objects.get()
    assert (stored.name, stored.version) == ("Kettle", 2)


def test_update_fields_accepts_category(kettle: Product) -> None:
    shelf = Category.objects.create(name="Kitchen", slug="kitchen")
    kettle.category = shelf
    kettle.save(update_fields=["category"])
    [event] = events()
    assert (event["data"]["category"], event["data"]["previous"]) == ("kitchen", {"category": None})


def test_deferred_fields_keep_their_values(kettle: Product) -> None:
    product = Product.objects.only("name").get()
    product.name = "Pot"
    product.save()
    [event] = events()
    assert (event["data"]["name"], event["data"]["price"]) == ("Pot", "19.90")
    assert event["data"]["previous"] == {"name": "Kettle"}


def test_the_slug_of_a_category_never_changes(kettle: Product) -> None:
    shelf = Category.objects.create(name="Kitchen", slug="kitchen")
    shelf.slug = "cooking"
    with pytest.raises(ValidationError, match="slug"):
        shelf.save()


def test_a_stale_instance_publishes_the_actual_changes(kettle: Product) -> None:
    stale = Product.objects.get()
    kettle.stock = 0
    kettle.save()
    stale.name = "Pot"
    stale.save()
    assert [event["sequence"] for event in events()] == [2, 3]
    assert events()[1]["data"]["previous"] == {"name": "Kettle", "stock": 0}


def test_djangos_shortcuts_publish(kettle: Product) -> None:
    Product.objects.update_or_create(sku="K1", defaults={"stock": 9})
    Product.objects.get_or_create(sku="K2", defaults={"name": "Pot", "price": "1"})
    Product.objects.all().delete()
    told = [(event["data"]["sku"], event["type"], event["sequence"]) for event in events()]
    assert told[:2] == [("K1", "product.updated", 2), ("K2", "product.created", 1)]
    assert sorted(told[2:]) == [("K1", "product.deleted", 3), ("K2", "product.deleted", 2)]


def test_the_deleted_event_has_the_last_state(kettle: Product) -> None:
    Product.objects.get().delete()
    [event] = events()
    assert (event["type"], event["sequence"], event["data"]["version"]) == ("product.deleted", 2, 1)


def test_deleting_a_category_publishes_the_deletion_of_its_products(kettle: Product) -> None:
    shelf = Category.objects.create(name="Kitchen", slug="kitchen")
    kettle.category = shelf
    kettle.save()
    shelf.delete()
    assert [event["type"] for event in events()] == ["product.updated", "product.deleted"]


def test_a_violated_constraint_publishes_nothing(kettle: Product) -> None:
    kettle.price = Decimal(-1)
    with pytest.raises(IntegrityError), transaction.atomic():
        kettle.save()
    assert events() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", "-1"),
        ("price", "NaN"),
        ("price", []),
        ("currency", "XXQ"),
        ("currency", "eur"),
        ("sku", "K1"),
        ("stock", -1),
        ("stock", "many"),
        ("stock", 10**30),
        ("name", "\x00"),
        ("name", "x" * 10_000),
        ("category", "nowhere"),
        ("category", "a b"),
        ("description", "\udc00"),
        ("is_active", []),
    ],
)
def test_invalid_input_names_the_field_and_changes_nothing(
    editor: APIClient, kettle: Product, field: str, value: object
) -> None:
    body = json.dumps({"sku": "K2", "name": "Pot", "price": "1", field: value})
    answer = editor.post("/api/products/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert {error["pointer"] for error in answer.json()["errors"]} == {f"#/{field}"}
    assert Product.objects.count() == 1
    assert events() == []


@pytest.mark.parametrize("form", ["json", "multipart"])
def test_a_huge_body_is_rejected(editor: APIClient, form: str) -> None:
    body = {"sku": "K2", "price": "1", "name": "x" * 10_000_000}
    answer = editor.post("/api/products/", body, format=form)
    assert answer.status_code == 413
    assert "too large" in answer.json()["detail"]
    assert not Product.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[1]", "[" * 100_000, "\xff", "1e999"])
def test_a_malformed_body_is_rejected(editor: APIClient, body: str) -> None:
    answer = editor.post("/api/products/", body, content_type="application/json")
    assert answer.status_code == 400
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    "query",
    ["price_min=cheap", "sku=%00", "search=%00", "cursor=abc", "updated_since=now", "fields=abc"],
)
def test_an_invalid_query_is_a_client_error(client: Client, query: str) -> None:
    assert client.get(f"/api/products/?{query}").status_code in (400, 404)


def test_reading_is_open_and_writing_requires_a_login(kettle: Product, client: Client) -> None:
    url = reverse("product-detail", args=[kettle.pk])
    assert client.get(url).json()["name"] == "Kettle"
    found = client.get("/api/products/?search=kett&ordering=-price&in_stock=true").json()
    assert [product["name"] for product in found["results"]] == ["Kettle"]
    assert client.delete(url).status_code == 401
    assert client.get("/api/products/" + "9" * 40 + "/").status_code == 404
    client.force_login(User.objects.create_user("bob"))
    assert client.post("/api/products/", {"sku": "K2", "name": "Pot"}).status_code == 403
    assert client.patch(url, {"stock": 0}, content_type="application/json").status_code == 403
    assert events() == []


def test_editing_through_the_api(editor: APIClient, kettle: Product) -> None:
    url = reverse("product-detail", args=[kettle.pk])
    assert editor.patch(url, {"stock": 0}, format="json").json()["version"] == 2
    assert editor.delete(url).status_code == 204
    assert [event["sequence"] for event in events()] == [2, 3]


def test_pages_open(admin_client: Client, kettle: Product) -> None:
    for url in (
        "/admin/products/product/",
        f"/admin/products/product/{kettle.pk}/change/",
        "/admin/eventbus_outbox/outboxevent/",
        "/api/docs/",
        "/api/schema/",
        "/api/events/schema/product.updated/v1/",
        "/readyz",
    ):
        assert admin_client.get(url).status_code == 200, url


def test_the_admin_is_the_actor(admin_client: Client, kettle: Product) -> None:
    form = {"sku": "K1", "name": "Kettle", "price": "12", "currency": "EUR", "stock": 3}
    url = f"/admin/products/product/{kettle.pk}/change/"
    assert admin_client.post(url, {**form, "is_active": "on"}).status_code == 302
    assert events()[0]["actor"] == "admin"
