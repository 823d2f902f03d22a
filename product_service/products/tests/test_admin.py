"""The admin: bulk changes of products, and their published events."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from eventbus.outbox.models import OutboxEvent
from product_service.products.models import Product
from product_service.products.tests.test_many import check, new

pytestmark = pytest.mark.django_db

LIST = "/admin/products/product/"


@pytest.fixture
def products() -> list[Product]:
    return Product.objects.bulk_create(new(number, price=20) for number in range(3))


def act(client: Client, products: list[Product], action: str, **answer: object) -> str:
    form = {"action": action, "_selected_action": [p.pk for p in products[:2]], **answer}
    return client.post(LIST, form, follow=True).content.decode()


@pytest.mark.parametrize(
    ("action", "answer", "changed"),
    [
        ("deactivate", {}, {"is_active": [False, False, True]}),
        ("change_prices", {"percent": "-12.5"}, {"price": ["17.50", "17.50", "20.00"]}),
        ("set_stock", {"stock": "9"}, {"stock": [9, 9, 2]}),
    ],
)
def test_actions_change_products_and_publish_events(
    admin_client: Client,
    products: list[Product],
    action: str,
    answer: dict[str, str],
    changed: dict[str, Any],
) -> None:
    if answer:
        assert "Cancel" in act(admin_client, products, action)
        answer["answered"] = "yes"
    assert "2 products changed." in act(admin_client, products, action, **answer)
    [(field, expected)] = changed.items()
    values = Product.objects.order_by("pk").values_list(field, flat=True)
    assert [str(value) for value in values] == [str(value) for value in expected]
    check()
    told = OutboxEvent.objects.filter(type="product.updated")
    assert [json.loads(row.payload)["actor"] for row in told] == ["admin", "admin"]
    act(admin_client, products, "activate")
    check()
    assert set(Product.objects.values_list("is_active", flat=True)) == {True}


def test_an_action_applies_to_all_filtered_products(admin_client: Client) -> None:
    Product.objects.bulk_create(new(number, price=20) for number in range(1_100))
    Product.objects.filter(stock__lt=10).update(is_active=False)
    form = {"action": "set_stock", "select_across": "1", "_selected_action": "1"}
    url = f"{LIST}?is_active__exact=1"
    page = admin_client.post(url, form).content.decode()
    assert "1090 products" in page
    assert page.count('type="hidden"') < 10
    admin_client.post(url, {**form, "answered": "yes", "stock": "5000"})
    assert Product.objects.filter(stock=5000).count() == 1_090
    check()


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("change_prices", {"percent": "-101"}),
        ("change_prices", {"percent": "much"}),
        ("set_stock", {"stock": "-1"}),
        ("set_stock", {"stock": ""}),
    ],
)
def test_an_invalid_value_shows_the_form_again_and_changes_nothing(
    admin_client: Client, products: list[Product], action: str, answer: dict[str, str]
) -> None:
    page = act(admin_client, products, action, answered="yes", **answer)
    assert "errorlist" in page
    check()
    assert not OutboxEvent.objects.filter(type="product.updated").exists()


def test_viewers_cannot_change_anything(client: Client, products: list[Product]) -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_product"))
    client.force_login(user)
    act(client, products, "deactivate")
    assert Product.objects.filter(is_active=False).count() == 0


def test_the_history_shows_published_and_relayed_events(
    admin_client: Client, products: list[Product]
) -> None:
    products[0].stock = 77
    products[0].save()
    OutboxEvent.objects.filter(type="product.created").update(published_at=timezone.now())
    page = admin_client.get(f"{LIST}{products[0].pk}/history/").content.decode()
    assert page.index("product.updated") < page.index("product.created")
    assert page.count("waiting for the relay") == 1


def test_the_outbox_shows_the_number_of_waiting_events(
    admin_client: Client, products: list[Product]
) -> None:
    url = "/admin/eventbus_outbox/outboxevent/"
    page = " ".join(admin_client.get(url).content.decode().split())
    assert "3 events waiting for the relay; the oldest was published now." in page
    OutboxEvent.objects.update(published_at=timezone.now())
    assert "No events waiting" in admin_client.get(url).content.decode()
