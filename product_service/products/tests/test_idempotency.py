"""A request that is repeated with the same key is carried out once."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from common.servicekit.idempotency.models import KeptAnswer
from eventbus.outbox.models import OutboxEvent
from product_service.products.models import Product

pytestmark = pytest.mark.django_db

URL = "/api/products/"
PAN = {"sku": "S1", "name": "Pan", "price": "1.5"}


def post(
    client: APIClient, body: object = PAN, key: str = "k1", url: str = URL, **options: Any
) -> Any:
    headers = {"Idempotency-Key": key}
    return client.post(url, body, headers=headers, **{"format": "json", **options})


def test_a_repeated_request_gets_the_same_response(editor: APIClient) -> None:
    first = post(editor)
    Product.objects.update(stock=7)
    again = post(editor)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["ETag"] == first["ETag"] == '"1"'
    assert again["Idempotent-Replayed"] == "true"
    assert not first.has_header("Idempotent-Replayed")
    assert Product.objects.count() == 1
    assert OutboxEvent.objects.filter(type="product.created").count() == 1


def test_equivalent_bodies_are_the_same_request(editor: APIClient) -> None:
    first = post(editor)
    spelled = '{"price": "1.5",\n "sku": "S1", "name": "Pan"}'
    again = post(editor, spelled, format=None, content_type="application/json")
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("body", "url"),
    [({**PAN, "price": "2"}, URL), ({"name": "Pan", "slug": "pan"}, "/api/categories/")],
)
def test_a_different_request_with_the_same_key_is_rejected(
    editor: APIClient, body: object, url: str
) -> None:
    post(editor)
    refused = post(editor, body, url=url)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert Product.objects.count() == 1


def test_a_failed_request_can_be_repeated(editor: APIClient) -> None:
    assert post(editor, {**PAN, "price": "-1"}).status_code == 400
    assert post(editor).status_code == 201


def test_keys_are_separate_for_each_user(editor: APIClient) -> None:
    post(editor)
    other = APIClient()
    other.force_login(User.objects.create_superuser("bob"))
    assert post(other, {**PAN, "sku": "S2"}).status_code == 201


def test_a_reused_username_does_not_inherit_responses(editor: APIClient) -> None:
    post(editor)
    User.objects.filter(username="eve").update(username="eve-2")
    other = APIClient()
    other.force_login(User.objects.create_superuser("eve"))
    refused = post(other)
    assert not refused.has_header("Idempotent-Replayed")
    assert refused.status_code == 400  # the SKU is taken


@pytest.mark.parametrize(("url", "body"), [(URL, PAN), ("/api/products/bulk/", {"create": [PAN]})])
def test_stored_responses_require_the_permission(editor: APIClient, url: str, body: object) -> None:
    assert post(editor, body, url=url).status_code in (200, 201)
    Permission.objects.get(codename="add_product").user_set.clear()
    assert post(editor, body, url=url).status_code == 403


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_invalid_key_is_rejected(editor: APIClient, key: str) -> None:
    answer = post(editor, key=key)
    assert answer.status_code == 400
    assert not Product.objects.exists()


def test_keys_expire(editor: APIClient, settings: Settings) -> None:
    post(editor)
    post(editor, {**PAN, "sku": "S2"}, key="k2")
    old = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS, seconds=1)
    KeptAnswer.objects.update(created_at=old)
    assert post(editor, {**PAN, "sku": "S3"}).status_code == 201
    assert [kept.key for kept in KeptAnswer.objects.all()] == ["k1"]


def test_bulk_requests_accept_a_key(editor: APIClient) -> None:
    body = {"create": [PAN]}
    first, again = (post(editor, body, url="/api/products/bulk/") for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
