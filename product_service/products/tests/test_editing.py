"""Two users editing one product: the second is warned, and no change is lost."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from product_service.products.models import Product
from product_service.products.tests.test_many import new

pytestmark = pytest.mark.django_db


@pytest.fixture
def pan() -> Product:
    [pan] = Product.objects.bulk_create([new(1)])
    return pan


@pytest.fixture
def url(pan: Product) -> str:
    return reverse("product-detail", args=[pan.pk])


def patch(editor: APIClient, url: str, stock: int, **headers: str) -> Any:
    return editor.patch(url, {"stock": stock}, format="json", headers=headers)


def test_the_etag_is_the_version(editor: APIClient, url: str) -> None:
    assert editor.get(url)["ETag"] == '"1"'
    assert patch(editor, url, 8)["ETag"] == '"2"'
    body = {"sku": "N1", "name": "New", "price": "1"}
    assert editor.post("/api/products/", body, format="json")["ETag"] == '"1"'
    assert not editor.get("/api/products/").has_header("ETag")


def test_the_second_edit_is_rejected(editor: APIClient, url: str) -> None:
    seen = editor.get(url)["ETag"]
    assert patch(editor, url, 8, **{"If-Match": seen}).status_code == 200
    refused = patch(editor, url, 9, **{"If-Match": seen})
    assert refused.status_code == 412
    assert "has changed since" in refused.json()["detail"]
    assert editor.delete(url, headers={"If-Match": seen}).status_code == 412
    assert editor.put(url, {}, format="json", headers={"If-Match": seen}).status_code == 412
    assert Product.objects.get().stock == 8
    assert editor.delete(url, headers={"If-Match": '"2"'}).status_code == 204


@pytest.mark.parametrize(
    ("if_match", "status"),
    [("*", 200), ('"7", "1"', 200), ('W/"1"', 412), ("1", 412), ("nonsense,,", 412), ("", 412)],
)
def test_if_match_follows_the_rfc(editor: APIClient, url: str, if_match: str, status: int) -> None:
    assert patch(editor, url, 8, **{"If-Match": if_match}).status_code == status


def test_if_match_can_be_required(editor: APIClient, url: str, settings: Settings) -> None:
    assert patch(editor, url, 8).status_code == 200
    settings.API_REQUIRE_IF_MATCH = True
    assert patch(editor, url, 9).status_code == 428
    assert patch(editor, url, 9, **{"If-Match": '"2"'}).status_code == 200


def test_a_known_version_is_not_sent_again(editor: APIClient, url: str) -> None:
    known = editor.get(url, headers={"If-None-Match": 'W/"1"'})
    assert (known.status_code, known["ETag"], known.content) == (304, '"1"', b"")
    patch(editor, url, 8)
    assert editor.get(url, headers={"If-None-Match": '"1"'}).status_code == 200


def test_the_admin_rejects_the_second_edit(admin_client: Client, pan: Product) -> None:
    url = f"/admin/products/product/{pan.pk}/change/"
    assert 'name="seen_version" value="1"' in admin_client.get(url).content.decode()
    form = {"sku": "S1", "name": "Pan", "price": "12", "currency": "EUR", "seen_version": "1"}
    assert admin_client.post(url, {**form, "stock": 5, "is_active": "on"}).status_code == 302
    page = admin_client.post(url, {**form, "stock": 6, "is_active": "on"})
    assert page.status_code == 200
    assert "Someone else has changed this product" in page.content.decode()
    assert Product.objects.get().stock == 5


@pytest.mark.parametrize("path", ["abc/change/", "12345/change/", "abc/history/"])
def test_a_missing_product_is_not_a_server_error(
    admin_client: Client, pan: Product, path: str
) -> None:
    for answer in (
        admin_client.get(f"/admin/products/product/{path}"),
        admin_client.post(f"/admin/products/product/{path}", {}),
    ):
        assert answer.status_code in {302, 404}


@pytest.fixture
def listed(admin_client: Client, pan: Product) -> dict[str, str]:
    """The form data of the admin's list, as a browser sends it without any changes."""
    page = admin_client.get("/admin/products/product/")
    forms = page.context["cl"].formset
    sent = {
        f"form-{name}": str(forms.management_form[name].value())
        for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
    }
    for form in forms:
        for field in form:
            value = field.value()
            sent[field.html_name] = "on" if value is True else str(value)
            sent[field.html_initial_name] = str(value)
            if field.name != "id":
                assert f'name="{field.html_initial_name}"' in page.content.decode()
    return {**sent, "_save": "Save"}


def save_list(client: Client, listed: dict[str, str], **fields: str) -> Any:
    return client.post("/admin/products/product/", {**listed, **fields}, follow=True)


def test_the_list_writes_only_changed_fields(
    admin_client: Client, pan: Product, listed: dict[str, str]
) -> None:
    Product.objects.update(stock=80)
    save_list(admin_client, listed, **{"form-0-price": "12.00"})
    pan.refresh_from_db()
    assert (str(pan.price), pan.stock, pan.version) == ("12.00", 80, 3)


def test_the_list_rejects_fields_that_someone_else_has_changed(
    admin_client: Client, pan: Product, listed: dict[str, str]
) -> None:
    Product.objects.update(stock=80)
    page = save_list(admin_client, listed, **{"form-0-stock": "7"})
    assert "Someone else has changed this to 80" in page.content.decode()
    pan.refresh_from_db()
    assert (pan.stock, pan.version) == (80, 2)


def test_an_unchanged_list_saves_nothing(
    admin_client: Client, pan: Product, listed: dict[str, str]
) -> None:
    Product.objects.update(is_active=False)
    save_list(admin_client, listed)
    pan.refresh_from_db()
    assert (pan.is_active, pan.version) == (False, 2)
