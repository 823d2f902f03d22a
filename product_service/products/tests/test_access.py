"""Who may see what: every URL is closed to strangers, but for those that are open for a reason."""

import pytest
from django.contrib.auth.models import Permission, User

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
from common.servicekit.testing.pages import pages
from product_service.products.models import Category, Product
from product_service.products.tests.test_exchange import SHOPIFY, upload
from product_service.products.tests.test_many import new, stored

pytestmark = pytest.mark.django_db

CATALOGUE = Open(READING, "Anybody may read the catalogue.")
CONTRACTS = "Events name it in dataschema, and other teams read it; it holds no data."
OPEN = {
    **OPEN_EVERYWHERE,
    "/": Open(READING | WRITING, "It leads to the list of products."),
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
VALUES = {
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


def test_nothing_is_open_to_strangers_but_what_is_listed_here():
    assert open_to_anybody(VALUES) == {route: one.methods for route, one in OPEN.items()}


def test_no_filter_shows_rows():
    assert views_with_unguarded_filters(VALUES) == []


def test_nobody_sees_who_else_there_is(client):
    """Products are for everybody; people, and the answers that are kept for them, are not."""
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
def allowed(client):
    """Log in as a member of the staff who has some permissions of products alone."""

    def log_in(*names):
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
def test_people_are_shown_the_forms_that_they_may_send(allowed, names, forms):
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
        (["add_product"], "Lid", "S1", "You may not change products."),
        (["change_product"], "Pan 1", "S2", "You may not add products."),
        (["change_product"], "Pan 1", "S1", "0 new"),  # it changes nothing
    ],
)
def test_importing_a_row_needs_the_permission_of_what_it_does(allowed, names, name, sku, said):
    client = allowed("view_product", *names)
    Product.objects.bulk_create([new(1)])
    before = stored()
    page = upload(client, ROWS.format(name=name).replace("S1", sku))
    if "You may not" in said:
        assert said in page.content.decode()
        assert stored() == before
        return
    form = page.context["confirm_form"].initial
    done = client.post("/admin/products/product/process_import/", form, follow=True)
    assert said in done.content.decode()


def test_an_import_creates_categories_for_those_who_may_add_them(allowed):
    client = allowed("view_product", "add_product", "change_product")
    page = upload(client, SHOPIFY, currency="USD")
    assert "You may not add categories." in page.content.decode()
    assert not Category.objects.exists()
