"""Which subscriptions match an event, and when they are notified."""

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from common.contracts.product import PreviousValues, ProductUpdated
from eventbus.testing.bus import Bus
from notification_service.notifications.deciding.index import Index
from notification_service.notifications.facts import Fact, facts_of
from notification_service.notifications.models import Delivery, Product, ProductEvent, Subscription
from notification_service.notifications.models.subscriptions import Condition
from notification_service.notifications.rendering import EXAMPLE
from notification_service.notifications.tests.rules import Follow, consume, deliver, send, texts

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("event_type", "changes", "told"),
    [
        ("product.created", {}, ["Kettle <b> is now available for €5.00."]),
        ("product.created", {"category": "kitchen"}, ["Kettle <b> is now available for €5.00."]),
        ("product.deleted", {}, ["Kettle <b> was deleted."]),
        ("product.snapshot", {}, []),
        (
            "product.updated",
            {"previous": {"name": "Pot", "sku": "P"}},
            ["Kettle <b> was updated: sku, name."],
        ),
        (
            "product.updated",
            {"previous": {"price": "6.25"}},
            ["The price of Kettle <b> fell from €6.25 to €5.00 (by 20%)."],
        ),
        (
            "product.updated",
            {"previous": {"price": "4.00"}},
            ["The price of Kettle <b> rose from €4.00 to €5.00."],
        ),
        (
            "product.updated",
            {"previous": {"price": "4.00", "currency": "USD"}},
            ["Kettle <b> was updated: price, currency."],
        ),
        (
            "product.updated",
            {"previous": {"stock": 0}},
            ["Kettle <b> is back in stock: 1 available."],
        ),
        ("product.updated", {"previous": {"stock": 5}}, []),
        (
            "product.updated",
            {"stock": 0, "previous": {"stock": 1, "price": "4.00"}},
            ["The price of Kettle <b> rose from €4.00 to €5.00. Kettle <b> is out of stock."],
        ),
        (
            "product.updated",
            {"category": "kitchen", "previous": {"category": None}},
            ["Kettle <b> is new in kitchen, for €5.00."],
        ),
    ],
)
def test_the_text_of_a_notification(
    bus: Bus, follow: Follow, event_type: str, changes: dict[str, Any], told: list[str]
) -> None:
    follow()
    consume(bus, event_type, **changes)
    deliver()
    assert texts() == told


DROP = {"event_type": "product.updated", "price": "8.00", "previous": {"price": "10.00"}}


@pytest.mark.parametrize(
    ("wanted", "event", "is_told"),
    [
        ({"condition": "price_dropped"}, DROP, True),
        ({"condition": "price_dropped", "percent": 20}, DROP, True),
        ({"condition": "price_dropped", "percent": "20.01"}, DROP, False),
        ({"condition": "price_dropped", "below": "8.01"}, DROP, True),
        ({"condition": "price_dropped", "below": "8.00"}, DROP, False),
        ({"condition": "price_dropped", "percent": 90, "below": 9}, DROP, True),
        ({"condition": "price_dropped", "percent": 90, "below": 7}, DROP, False),
        ({"condition": "price_dropped"}, {**DROP, "previous": {"price": "7.00"}}, False),
        ({"condition": "deleted"}, {"event_type": "product.deleted"}, True),
        ({"condition": "deleted"}, DROP, False),
        ({"condition": "back_in_stock"}, {**DROP, "previous": {"stock": 0}}, True),
        ({"condition": "out_of_stock"}, {**DROP, "stock": 0, "previous": {"stock": 1}}, True),
        (
            {"condition": "new_in_category", "products": "category", "category": "kitchen"},
            {"event_type": "product.created", "category": "kitchen"},
            True,
        ),
        (
            {"condition": "new_in_category", "products": "category", "category": "garden"},
            {"event_type": "product.created", "category": "kitchen"},
            False,
        ),
        ({"products": "list", "product_ids": ["7", "1"]}, DROP, True),
        ({"products": "list", "product_ids": ["7"]}, DROP, False),
        ({"products": "text", "text": "ETTL"}, DROP, True),
        ({"products": "text", "text": "kettles"}, DROP, False),
        ({"products": "text", "text": "e\u0301clair"}, {**DROP, "name": "\u00c9clair"}, True),
        ({"event_types": ["product.updated"]}, DROP, True),
        ({"event_types": ["product.created"]}, DROP, False),
        ({"is_active": False}, DROP, False),
    ],
)
def test_which_subscriptions_match(
    bus: Bus, follow: Follow, wanted: dict[str, Any], event: dict[str, Any], is_told: bool
) -> None:
    follow(**wanted)
    consume(bus, **event)
    assert Delivery.objects.count() == is_told


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"channel": "webhook"}, "endpoint"),
        ({"products": "category"}, "category"),
        ({"products": "list"}, "product_ids"),
        ({"products": "list", "product_ids": [7]}, "product_ids"),
        ({"products": "text", "text": "ab "}, "text"),
        ({"products": "text", "text": "e\u0301e\u0301"}, "text"),
        ({"event_types": ["product.exploded"]}, "event_types"),
        ({"percent": 5}, "percent"),
        ({"condition": "price_dropped", "percent": 101}, "percent"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"quiet_from": time(22)}, "quiet_until"),
        ({"quiet_from": time(22), "quiet_until": time(22)}, "quiet_until"),
        (
            {"schedule": "daily", "quiet_from": time(7), "quiet_until": time(9)},
            "digest_hour",
        ),
    ],
)
def test_inconsistent_subscriptions_are_rejected(
    follow: Follow, wanted: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        follow(**wanted)
    assert field in refused.value.message_dict


@pytest.mark.parametrize(
    ("wanted", "now", "due"),
    [
        ({}, "2026-11-25T23:30", "2026-11-25T23:30"),
        ({"quiet_from": time(22), "quiet_until": time(7)}, "2026-11-25T22:00", "2026-11-26T07:00"),
        ({"quiet_from": time(22), "quiet_until": time(7)}, "2026-11-26T06:59", "2026-11-26T07:00"),
        ({"quiet_from": time(22), "quiet_until": time(7)}, "2026-11-26T07:00", "2026-11-26T07:00"),
        ({"quiet_from": time(12), "quiet_until": time(13)}, "2026-11-26T12:30", "2026-11-26T13:00"),
        (
            {"quiet_from": time(22), "quiet_until": time(7), "time_zone": "Europe/Berlin"},
            "2026-11-25T21:30",
            "2026-11-26T06:00",
        ),
        ({"schedule": "daily"}, "2026-11-25T07:59", "2026-11-25T08:00"),
        ({"schedule": "daily"}, "2026-11-25T08:00", "2026-11-26T08:00"),
        (
            {"schedule": "daily", "digest_hour": 9, "time_zone": "America/New_York"},
            "2026-11-25T13:00",
            "2026-11-25T14:00",
        ),
        (  # across the end of daylight saving time
            {"schedule": "daily", "digest_hour": 9, "time_zone": "America/New_York"},
            "2026-10-31T14:00",
            "2026-11-01T14:00",
        ),
    ],
)
def test_when_a_message_is_due(wanted: dict[str, Any], now: str, due: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert Subscription(**wanted).due(at).strftime("%Y-%m-%dT%H:%M") == due


def test_a_subscription_takes_effect_with_the_next_event(bus: Bus, follow: Follow) -> None:
    consume(bus, "product.created")
    subscription = follow()
    consume(bus, "product.deleted")
    subscription.delete()
    consume(bus, "product.created", id=2)
    [delivery] = Delivery.objects.all()
    assert delivery.event.type == "product.deleted"


def test_an_event_notifies_once_however_often_it_is_received(bus: Bus, follow: Follow) -> None:
    follow()
    consume(bus, "product.created")
    for _ in range(3):
        bus.consume_again()
    deliver()
    assert len(texts()) == Delivery.objects.count() == 1


def test_outdated_events_notify_nobody(bus: Bus, follow: Follow) -> None:
    """A replay, a late copy under a new id, and a change that a snapshot has covered."""
    follow()
    consume(bus, "product.snapshot", version=5, price="9.00")
    consume(bus, "product.updated", version=4, price="8.00", previous={"price": "10.00"})
    consume(bus, "product.updated", version=5, price="9.00", previous={"price": "8.00"})
    assert not Delivery.objects.exists()
    assert (Product.objects.get().sequence, Product.objects.get().price) == (5, Decimal(9))
    consume(bus, "product.updated", version=6, price="7.00", previous={"price": "9.00"})
    assert Delivery.objects.count() == 1


def test_all_versions_of_a_product_in_one_batch_notify(bus: Bus, follow: Follow) -> None:
    follow()
    for price, before in (("4.00", "5.00"), ("3.00", "4.00"), ("2.00", "3.00")):
        send(bus, "product.updated", price=price, previous={"price": before})
    bus.consume()
    assert Delivery.objects.count() == 3
    assert Product.objects.get().price == 2


def test_the_replica_remembers_deleted_products(bus: Bus) -> None:
    consume(bus, "product.created", version=1)
    consume(bus, "product.deleted", version=2)
    consume(bus, "product.updated", version=2, previous={"name": "x"})
    assert Product.objects.get().is_deleted
    assert not ProductEvent.objects.filter(type="product.updated").exists()


def test_a_product_that_is_created_again_replaces_the_deleted_one(bus: Bus, follow: Follow) -> None:
    follow()
    consume(bus, "product.created", version=1)
    consume(bus, "product.deleted", version=1)
    consume(bus, "product.created", version=3, price="7.00")
    consume(bus, "product.updated", version=4, price="6.00", previous={"price": "7.00"})
    product = Product.objects.get()
    assert (product.is_deleted, product.price, product.sequence) == (False, Decimal(6), 4)
    types = list(ProductEvent.objects.order_by("id").values_list("type", flat=True))
    assert types == ["product.created", "product.deleted", "product.created", "product.updated"]
    assert Delivery.objects.count() == 4


def test_a_snapshot_corrects_the_replica_and_notifies_nobody(bus: Bus, follow: Follow) -> None:
    follow()
    consume(bus, "product.created", version=1, price="5.00")
    Delivery.objects.all().delete()
    for version in (2, 3):
        consume(bus, "product.snapshot", version=version, price="9.00")
    assert (Product.objects.get().price, Product.objects.get().sequence) == (Decimal(9), 3)
    assert not Delivery.objects.exists()


def test_the_number_of_queries_does_not_depend_on_the_events(
    bus: Bus, follow: Follow, django_user_model: type[User]
) -> None:
    def queries_for(events: int) -> int:
        for number in range(events):
            send(bus, "product.created", id=1000 + number)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            bus.consume()
        return len(captured)

    follow()
    few = queries_for(2)
    owner = django_user_model.objects.get()
    wish = {"owner": owner, "products": "list", "product_ids": ["1000"]}
    Subscription.objects.bulk_create(Subscription(**wish) for _ in range(100))
    follow()
    assert queries_for(50) <= few + 3  # SQLite takes about 80 rows per statement
    assert Delivery.objects.count() == 2 + 50 * 2 + 100


products = st.builds(
    lambda name, category, price, stock, before: msgspec.structs.replace(
        EXAMPLE, id=7, name=name, category=category, price=price, stock=stock, previous=before
    ),
    st.text("abcß ", max_size=8),
    st.sampled_from([None, "a", "b"]),
    st.decimals(0, 20, places=1),
    st.integers(0, 2),
    st.builds(
        PreviousValues,
        price=st.decimals(0, 20, places=1) | st.just(msgspec.UNSET),
        stock=st.integers(0, 2) | st.just(msgspec.UNSET),
        category=st.sampled_from([None, "a", "b"]) | st.just(msgspec.UNSET),
    ),
)
wishes = st.builds(
    Subscription,
    condition=st.sampled_from(Condition.values),
    products=st.sampled_from(["all", "category", "list", "text"]),
    category=st.sampled_from(["a", "b"]),
    product_ids=st.lists(st.sampled_from(["7", "8"]), min_size=1),
    text=st.text("abcßS", min_size=3, max_size=5),
    percent=st.none() | st.decimals(0, 100, places=0),
    below=st.none() | st.decimals(0, 20, places=0),
    event_types=st.sampled_from([[], ["product.updated"], ["product.created"]]),
)


class Happened:
    type = "product.updated"

    def __init__(self, data: ProductUpdated) -> None:
        self.data = data


def is_wanted(wish: Subscription, product: ProductUpdated) -> bool:
    """Evaluate a subscription without an index."""
    facts = facts_of(product)
    if not facts or (wish.condition != "anything" and wish.condition not in facts):
        return False
    if wish.event_types and "product.updated" not in wish.event_types:
        return False
    is_about = {
        "all": True,
        "category": product.category == wish.category,
        "list": "7" in wish.product_ids,
        "text": wish.text.casefold() in product.name.casefold(),
    }[wish.products]
    if not is_about or (wish.percent is None and wish.below is None):
        return is_about
    before = product.previous.price
    percent = Decimal(0)
    if Fact.PRICE_DROPPED in facts:
        assert before is not msgspec.UNSET
        percent = (before - product.price) * 100 / before
    is_far = wish.percent is not None and percent >= wish.percent
    return is_far or (wish.below is not None and product.price < wish.below)


@settings(max_examples=300, deadline=None)
@given(product=products, wanted=st.lists(wishes, max_size=12))
def test_the_index_finds_exactly_the_matching_subscriptions(
    product: ProductUpdated, wanted: list[Subscription]
) -> None:
    for number, wish in enumerate(wanted):
        wish.pk = number
        if wish.condition != "price_dropped":
            wish.percent = wish.below = None
    found = sorted(m.subscription.pk for m in Index(wanted).matches(Happened(product)))
    assert found == [wish.pk for wish in wanted if is_wanted(wish, product)]
