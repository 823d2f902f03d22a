"""Reading the API: pages, filters, errors, authentication, throttling."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from product_service.products.models import Category, Product
from product_service.products.tests.test_many import new

pytestmark = pytest.mark.django_db

URL = "/api/products/"
ORDERINGS = ["", "id", "-price", "stock", "-updated_at", "price,-name", "-stock,sku"]


def skus(answer: Any) -> list[str]:
    return [product["sku"] for product in answer.json()["results"]]


def read_on(client: Client, url: str) -> list[str]:
    """The SKUs of this page and all following ones."""
    found = []
    while url:
        answer = client.get(url)
        found += skus(answer)
        url = answer.json()["next"]
    return found


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_paging_forwards_and_backwards_covers_the_list(client: Client, ordering: str) -> None:
    Product.objects.bulk_create(new(n, price=n % 2, stock=n % 3) for n in range(11))
    whole = skus(client.get(URL, {"ordering": ordering}))
    pages = [client.get(URL, {"ordering": ordering, "page_size": "4"})]
    while following := pages[-1].json()["next"]:
        pages.append(client.get(following))
    assert [len(skus(page)) for page in pages] == [4, 4, 3]
    assert [sku for page in pages for sku in skus(page)] == whole
    assert len(set(whole)) == 11
    back = client.get(pages[2].json()["previous"])
    assert skus(back) == skus(pages[1])
    assert back.json()["next"]
    assert skus(client.get(back.json()["next"])) == skus(pages[2])
    first = client.get(back.json()["previous"])
    assert (skus(first), first.json()["previous"]) == (skus(pages[0]), None)


@given(
    read=st.integers(1, 9),
    gone=st.sets(st.integers(0, 9)),
    added=st.lists(st.integers(0, 3), max_size=5),
    ordering=st.sampled_from(["stock", "-stock", "id", "-id"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_paging_is_stable_while_rows_are_added_and_deleted(
    client: Client, read: int, gone: set[int], added: list[int], ordering: str
) -> None:
    cache.clear()  # the examples together exceed the throttling limit
    Product.objects.all().delete()
    Product.objects.bulk_create(new(n, stock=n % 3) for n in range(10))
    first = client.get(URL, {"ordering": ordering, "page_size": str(read)})
    Product.objects.filter(sku__in=[f"S{n}" for n in gone]).delete()
    Product.objects.bulk_create(new(100 + n, stock=stock) for n, stock in enumerate(added))
    seen = skus(first) + (read_on(client, first.json()["next"]) if first.json()["next"] else [])
    stayed = {f"S{n}" for n in range(10) if n not in gone}
    assert len(seen) == len(set(seen))
    assert stayed <= set(seen)


def test_the_cost_of_a_page_does_not_depend_on_its_depth(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Product.objects.bulk_create(new(n) for n in range(30))
    url = client.get(URL, {"page_size": 10}).json()["next"]
    with django_assert_num_queries(1):
        client.get(url)


@pytest.mark.parametrize("cursor", ["", "abc", "a:b:c", "\x00", "9" * 5_000])
def test_a_forged_cursor_is_rejected(client: Client, cursor: str) -> None:
    answer = client.get(URL, {"cursor": cursor})
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_a_cursor_belongs_to_its_ordering(client: Client) -> None:
    Product.objects.bulk_create(new(n) for n in range(3))
    url = client.get(URL, {"page_size": 1}).json()["next"]
    assert client.get(f"{url}&ordering=price").status_code == 404


def test_the_browsable_list_links_its_pages(client: Client) -> None:
    Product.objects.bulk_create(new(n) for n in range(3))
    page = client.get(URL, {"page_size": 1}, headers={"Accept": "text/html"})
    assert "cursor=" in page.content.decode()


def test_selecting_fields(client: Client, editor: APIClient) -> None:
    [pan] = Product.objects.bulk_create([new(1)])
    answer = client.get(URL, {"fields": "sku, stock"})
    assert answer.json()["results"] == [{"sku": "S1", "stock": 1}]
    one = client.get(f"{URL}{pan.pk}/", {"fields": "name"})
    assert (one.json(), one["ETag"]) == ({"name": "Pan 1"}, '"1"')
    unknown = client.get(URL, {"fields": "sku,prise"})
    [error] = unknown.json()["errors"]
    assert (unknown.status_code, error["parameter"]) == (400, "fields")
    assert "prise" in error["detail"]
    changed = editor.patch(f"{URL}{pan.pk}/?fields=name", {"stock": 8}, format="json")
    assert changed.json()["stock"] == 8


def test_filters(client: Client) -> None:
    shelf = Category.objects.create(name="Kitchen", slug="kitchen")
    rows = [new(n, price=n, stock=n, is_active=n != 2, category=shelf) for n in range(4)]
    Product.objects.bulk_create([*rows, new(9)])
    Product.objects.exclude(sku="S3").update(stock=0)
    Product.objects.filter(sku="S1").update(stock=5)
    old = timezone.now() - timedelta(days=1)
    for query, found in [
        ({"category": "kitchen", "is_active": "true"}, {"S0", "S1", "S3"}),
        ({"price_min": "2", "price_max": "3"}, {"S2", "S3"}),
        ({"stock_min": "3", "stock_max": "4"}, {"S3"}),
        ({"in_stock": "false"}, {"S0", "S2", "S9"}),
        ({"updated_since": old.isoformat()}, {"S0", "S1", "S2", "S3", "S9"}),
        ({"updated_since": Product.objects.get(sku="S1").updated_at.isoformat()}, {"S1"}),
    ]:
        assert set(skus(client.get(URL, query))) == found, query


def test_errors_are_problem_details(editor: APIClient) -> None:
    answer = editor.post(URL, {"price": "x", "category": "nowhere"}, format="json")
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {name: problem[name] for name in ("type", "title", "status", "code")} == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "invalid",
    }
    found = {(error["pointer"], error["code"]) for error in problem["errors"]}
    assert found == {
        ("#/sku", "required"),
        ("#/name", "required"),
        ("#/price", "invalid"),
        ("#/category", "does_not_exist"),
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("get", "/api/products/999/", 404, "Not Found"),
        ("get", "/api/nothing/", 404, "Not Found"),
        ("put", "/api/products/", 405, "Method Not Allowed"),
        ("post", "/api/products/", 415, "Unsupported Media Type"),
    ],
)
def test_every_error_is_a_problem_document(
    editor: APIClient, method: str, path: str, status: int, title: str
) -> None:
    answer = editor.generic(method.upper(), path, "x", content_type="text/csv")
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["title"]) == (status, title)
    assert answer.json()["status"] == status


def test_the_browsable_form_shows_errors(editor: APIClient) -> None:
    page = editor.post(URL, {"sku": "S1"}, headers={"Accept": "text/html"})
    assert page.status_code == 400
    assert page["Content-Type"].startswith("text/html")
    assert "This field is required" in page.content.decode()


def test_missing_pages_outside_the_api_use_djangos_page(client: Client) -> None:
    assert client.get("/nothing/")["Content-Type"].startswith("text/html")


def test_a_server_error_does_not_reveal_its_cause(
    editor: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Product, "save", lambda *_, **__: 1 / 0)
    editor.raise_request_exception = False
    answer = editor.post(URL, {"sku": "S1", "name": "Pan", "price": "1"}, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "zero" not in answer.content.decode()


def test_a_token_authenticates() -> None:
    user = User.objects.create_superuser("robot")
    client = APIClient()
    body = {"sku": "S1", "name": "Pan", "price": "1"}
    assert client.post(URL, body)["WWW-Authenticate"] == "Token"
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
    assert client.post(URL, body).status_code == 201


def test_throttled_clients_are_told_when_to_retry(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": "2/min", "user": None})
    assert [client.get(URL).status_code for _ in range(3)] == [200, 200, 429]
    answer = client.get(URL)
    assert int(answer["Retry-After"]) > 0
    assert answer.json()["title"] == "Too Many Requests"


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("post", {}, {"sku": "S2", "name": "Pan", "price": "1", "category": "\x00"}),
        ("get", {"updated_since": "0047-04-30T18:40:32-17:19"}, {}),
    ],
)
def test_values_that_the_database_cannot_store_are_client_errors(
    editor: APIClient, method: str, query: dict[str, str], body: dict[str, Any]
) -> None:
    """PostgreSQL rejects both; SQLite finds no such category, and accepts the year 47."""
    url = f"{URL}?{urlencode(query)}"
    answer = getattr(editor, method)(url, body, format="json") if body else editor.get(url)
    assert answer.status_code in ({400} if body else {200, 400})


@pytest.mark.django_db(transaction=True)
def test_options_of_a_product_need_no_transaction(editor: APIClient) -> None:
    """PostgreSQL cannot lock rows outside a transaction."""
    [pan] = Product.objects.bulk_create([new(1)])
    answer = editor.options(f"{URL}{pan.pk}/")
    assert answer.json()["actions"]["PUT"]["sku"]["max_length"] == 64
