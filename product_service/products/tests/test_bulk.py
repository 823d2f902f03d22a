"""Bulk changes in one request: all of it, or nothing and an error for each item."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from eventbus.outbox.models import OutboxEvent
from product_service.products.models import Category, Product
from product_service.products.tests.test_many import check, new, stored

pytestmark = pytest.mark.django_db

URL = "/api/products/bulk/"


@pytest.fixture
def pans() -> list[Product]:
    Category.objects.create(name="Kitchen", slug="kitchen")
    return Product.objects.bulk_create(new(n) for n in range(4))


def post(client: APIClient, **body: object) -> Any:
    return client.post(URL, body, format="json")


def body_of(n: int, **values: object) -> dict[str, Any]:
    return {"sku": f"N{n}", "name": f"New {n}", "price": "3.00", **values}


def errors(answer: Any) -> set[str]:
    assert answer["Content-Type"] == "application/problem+json"
    return {error["pointer"] for error in answer.json()["errors"]}


def test_creating_updating_and_deleting_at_once(editor: APIClient, pans: list[Product]) -> None:
    a, b, c, _ = (pan.pk for pan in pans)
    answer = post(
        editor,
        create=[body_of(1, category="kitchen"), body_of(2, sku="S2", stock=9)],
        update=[
            {"id": b, "stock": 80, "version": 1},
            {"id": a, "name": "Lid", "category": "kitchen"},
        ],
        delete=[c],
    )
    assert answer.status_code == 200, answer.json()
    result = answer.json()
    assert result["deleted"] == [c]
    assert [row["id"] for row in result["updated"]] == [b, a]
    assert [row["version"] for row in result["updated"]] == [2, 2]
    told = {row["id"]: row for row in (*result["created"], *result["updated"])}
    assert told.items() <= stored().items()
    assert stored()[a]["category"] == "kitchen"
    assert stored()[a]["stock"] == 0
    check()


def test_nothing_is_changed_if_one_item_is_invalid(editor: APIClient, pans: list[Product]) -> None:
    before = stored()
    answer = post(
        editor,
        create=[body_of(1), body_of(2, price="-1"), body_of(3, category="nowhere"), "x"],
        update=[{"id": pans[0].pk, "stock": -1}, {"stock": 3}],
    )
    assert answer.status_code == 400
    assert errors(answer) == {
        "#/create/1/price",
        "#/create/2/category",
        "#/create/3",
        "#/update/0/stock",
        "#/update/1/id",
    }
    assert stored() == before


def test_each_conflicting_item_has_an_error(editor: APIClient, pans: list[Product]) -> None:
    a, b, _, d = (pan.pk for pan in pans)
    before = stored()
    answer = post(
        editor,
        create=[
            body_of(1, sku="S1"),
            body_of(2, sku="N1"),
            body_of(3, sku="N1"),
            body_of(4, sku="S3"),
        ],
        update=[{"id": 999}, {"id": a, "sku": "S0"}, {"id": a}, {"id": b, "sku": "S2"}],
        delete=[d, 998, d],
    )
    assert answer.status_code == 400
    assert errors(answer) == {
        "#/create/0/sku",
        "#/create/2/sku",
        "#/update/0/id",
        "#/update/2/id",
        "#/update/3/sku",
        "#/delete/1",
        "#/delete/2",
    }
    assert stored() == before


def test_a_stale_version_rejects_the_whole_request(editor: APIClient, pans: list[Product]) -> None:
    before = stored()
    answer = post(
        editor, update=[{"id": pan.pk, "stock": 50, "version": 1 + pan.stock % 2} for pan in pans]
    )
    assert answer.status_code == 412
    assert errors(answer) == {"#/update/1/version", "#/update/3/version"}
    assert stored() == before


def test_versions_can_be_required(
    editor: APIClient, pans: list[Product], settings: Settings
) -> None:
    settings.API_REQUIRE_IF_MATCH = True
    assert post(editor, update=[{"id": pans[0].pk, "stock": 50}]).status_code == 428
    assert post(editor, update=[{"id": pans[0].pk, "stock": 50, "version": 1}]).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"create": []},
        {"delete": list(range(1, 1_002))},
        {"create": {}},
        {"update": [[]]},
        {"delete": ["x"]},
        {"delete": [10**30]},
        {"update": [{"id": -(10**30), "stock": 1}]},
        {"create": [body_of(1, category=["a"]), body_of(2, category="\x00")]},
        [],
        "x",
        None,
    ],
)
def test_malformed_requests_are_rejected(
    editor: APIClient, pans: list[Product], body: object
) -> None:
    before = stored()
    answer = editor.post(URL, body, format="json")
    assert answer.status_code == 400, answer.content
    assert stored() == before


KINDS = {"create": "add", "update": "change", "delete": "delete"}


def one_of_each(pans: list[Product]) -> dict[str, list[Any]]:
    return {
        "create": [body_of(1)],
        "update": [{"id": pans[0].pk, "stock": 50}, {"id": pans[1].pk, "stock": 51}],
        "delete": [pans[2].pk],
    }


def allow(*names: str) -> None:
    """Remove all product permissions except these from everybody."""
    for permission in Permission.objects.filter(codename__endswith="_product"):
        if permission.codename.removesuffix("_product") not in names:
            permission.user_set.clear()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_requires_only_its_own_permission(
    editor: APIClient, pans: list[Product], kind: str
) -> None:
    allow(KINDS[kind])
    alone = {kind: one_of_each(pans)[kind]}
    assert post(editor, **alone).status_code == 200
    check()


@pytest.mark.parametrize("kind", KINDS)
def test_items_without_permission_are_listed_and_nothing_is_changed(
    editor: APIClient, pans: list[Product], kind: str
) -> None:
    allow(*(name for name in KINDS.values() if name != KINDS[kind]))
    before = stored()
    answer = post(editor, **one_of_each(pans))
    assert answer.status_code == 403
    assert errors(answer) == {f"#/{kind}/{i}" for i in range(len(one_of_each(pans)[kind]))}
    assert {error["code"] for error in answer.json()["errors"]} == {"permission_denied"}
    assert stored() == before


def test_users_without_any_permission_are_rejected(
    editor: APIClient, pans: list[Product], client: Client
) -> None:
    allow("view")
    for body in ({}, one_of_each(pans)):
        answer = post(editor, **body)
        assert (answer.status_code, "errors" in answer.json()) == (403, False)
    assert client.post(URL, {}, content_type="application/json").status_code == 401


def test_the_number_of_errors_is_limited(editor: APIClient) -> None:
    allow("change")
    answer = post(editor, create=[1] * 5_000)
    assert (answer.status_code, len(answer.json()["errors"])) == (403, 1_000)


def test_form_data_is_not_accepted(editor: APIClient) -> None:
    allow("change")
    form = {f"create[0]{name}": value for name, value in body_of(1).items()}
    assert editor.post(URL, form, format="multipart").status_code == 415
    assert not Product.objects.exists()


def test_the_number_of_queries_is_constant(editor: APIClient) -> None:
    def queries(number: int) -> int:
        Product.objects.all().delete()
        rows = Product.objects.bulk_create(new(n) for n in range(2 * number))
        OutboxEvent.objects.all().delete()
        with CaptureQueriesContext(connection) as captured:
            answer = post(
                editor,
                create=[body_of(n) for n in range(number)],
                update=[{"id": row.pk, "stock": 999} for row in rows[:number]],
                delete=[row.pk for row in rows[number:]],
            )
        assert answer.status_code == 200
        assert OutboxEvent.objects.count() == 3 * number
        return len(captured)

    assert queries(5) == queries(50)
