"""Access control: every URL requires a login, except those that are listed with a reason."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from common.servicekit.idempotency.models import KeptAnswer
from common.servicekit.testing.access import (
    OPEN_EVERYWHERE,
    READING,
    WRITING,
    Open,
    answers,
    open_to_anybody,
    views_with_unguarded_filters,
)
from common.servicekit.testing.pages import Values, pages
from product_service.products.models import Category, Product
from product_service.products.tests.test_exchange import SHOPIFY, upload
from product_service.products.tests.test_many import new, stored

pytestmark = pytest.mark.django_db

CATALOGUE = Open(READING, "Reading the catalogue is open to everybody.")
CONTRACTS = "Events refer to it in dataschema, and other teams read it. It contains no data."
OPEN = {
    **OPEN_EVERYWHERE,
    "/": Open(READING | WRITING, "Redirects to the list of products."),
    "/api/": CATALOGUE,
    "/api/<format>": CATALOGUE,
    "/api/products/": CATALOGUE,
    "/api/products.<format>": CATALOGUE,
    "/api/products/<pk>/": CATALOGUE,
    "/api/products/<pk>.<format>": CATALOGUE,
    "/api/categories/": CATALOGUE,
    "/api/categories.<format>": CATALOGUE,
    "/api/categories/<pk>/": CATALOGUE,
    "/api/categories/<pk>.<format>": CATALOGUE,
    "/api/events/schema/<event_type>/": Open(READING | WRITING, CONTRACTS),
    "/api/events/schema/<event_type>/v<version>/": Open(READING | WRITING, CONTRACTS),
    "/api/events/": Open(READING | WRITING, CONTRACTS),
    "/events/": Open(READING | WRITING, CONTRACTS),
}
VALUES: Values = {
    "pk": [1],
    "id": [1],
    "object_id": [1],
    "content_type_id": [1],
    "format": ["json", ".json"],
    "app_label": ["products"],
    "url": ["nowhere"],
    "event_type": ["product.updated"],
    "version": [1],
}


def test_only_the_listed_urls_are_open_without_a_login() -> None:
    assert open_to_anybody(VALUES) == {route: one.methods for route, one in OPEN.items()}


def test_no_filter_offers_rows_of_other_users() -> None:
    assert views_with_unguarded_filters(VALUES) == []


def test_other_users_are_not_revealed(client: Client) -> None:
    """Products are public; users, and the responses stored for them, are not."""
    other = User.objects.create_user("zanzibar", "zanzibar@example.com")
    KeptAnswer.objects.create(user=str(other.pk), key="k1", fingerprint="", body='"zanzibar"')
    asker = User.objects.create_user("asker")
    asker.user_permissions.set(Permission.objects.filter(content_type__app_label="products"))
    client.force_login(asker)
    [pan] = Product.objects.bulk_create([new(1)])
    asked = [
        page for page in pages({**VALUES, "pk": [pan.pk]}) if not page.path.startswith("/admin/")
    ]
    fields = {"user": other.pk, "sku": "S2", "name": "Pan", "price": "1", "slug": "s"}
    seen = list(answers(client, asked, fields))
    assert not [answer.asked for answer in seen if "zanzibar" in answer.text.lower()]
    assert any("Pan 1" in answer.text for answer in seen)


@pytest.fixture
def allowed(client: Client) -> Callable[..., Client]:
    """Log in as a staff user with some permissions on products."""

    def log_in(*names: str) -> Client:
        user = User.objects.create_user("bob", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(user)
        return client

    return log_in


@pytest.mark.parametrize(
    ("names", "forms"),
    [
        ([], set()),
        (["add_product"], {"POST"}),
        (["change_product"], {"PUT"}),
        (["delete_product"], {"DELETE"}),
        (["add_product", "change_product", "delete_product"], {"POST", "PUT", "DELETE"}),
    ],
)
def test_users_see_the_forms_that_they_may_send(
    allowed: Callable[..., Client], names: list[str], forms: set[str]
) -> None:
    client = allowed(*names)
    [pan] = Product.objects.bulk_create([new(1)])
    pages = [
        client.get(url, headers={"Accept": "text/html"}).content.decode()
        for url in ("/api/products/", f"/api/products/{pan.pk}/")
    ]
    shown = {
        name
        for name, mark in {
            "POST": 'title="Make a POST request',
            "PUT": 'title="Make a PUT request',
            "DELETE": 'data-method="DELETE"',
        }.items()
        if any(mark in page for page in pages)
    }
    assert shown == forms


ROWS = "sku,name,price\nS1,{name},10\n"


@pytest.mark.parametrize(
    ("names", "name", "sku", "said"),
    [
        (["add_product"], "Pan 1", "S2", "1 new"),
        (["change_product"], "Lid", "S1", "1 updated"),
        (["add_product"], "Lid", "S1", "You do not have permission to change products."),
        (["change_product"], "Pan 1", "S2", "You do not have permission to add products."),
        (["change_product"], "Pan 1", "S1", "0 new"),  # no change
    ],
)
def test_importing_a_row_requires_its_permission(
    allowed: Callable[..., Client], names: list[str], name: str, sku: str, said: str
) -> None:
    client = allowed("view_product", *names)
    Product.objects.bulk_create([new(1)])
    before = stored()
    page = upload(client, ROWS.format(name=name).replace("S1", sku))
    if "You do not have permission" in said:
        assert said in page.content.decode()
        assert stored() == before
        return
    form = page.context["confirm_form"].initial
    done = client.post("/admin/products/product/process_import/", form, follow=True)
    assert said in done.content.decode()


def test_an_import_creates_categories_only_with_permission(
    allowed: Callable[..., Client],
) -> None:
    client = allowed("view_product", "add_product", "change_product")
    page = upload(client, SHOPIFY, currency="USD")
    assert "You do not have permission to add categories." in page.content.decode()
    assert not Category.objects.exists()
