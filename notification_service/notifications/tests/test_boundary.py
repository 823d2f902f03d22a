"""Every event that the inbox accepts can be delivered and shown, including those of older code."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common.contracts.product import TOPIC
from eventbus.inbox.models import ParkedEvent
from eventbus.testing.bus import Bus
from notification_service.notifications.models import (
    Delivery,
    Endpoint,
    MessageTemplate,
    Notification,
    Product,
    ProductEvent,
)
from notification_service.notifications.tests.rules import KETTLE, Follow, consume, deliver, texts

pytestmark = pytest.mark.django_db

PAGES = [
    "/", "/newer/?after=0", "/subscriptions/", "/api/notifications/", "/api/deliveries/",
    "/api/subscriptions/", "/api/deliveries/statistics/",
    "/admin/notifications/notification/", "/admin/notifications/delivery/",
    "/admin/notifications/product/", "/admin/notifications/subscription/",
    "/admin/eventbus_inbox/parkedevent/", "/admin/eventbus_inbox/parkedkey/",
]  # fmt: skip
PREVIEW = {"condition": "anything", "schedule": "daily", "digest_hour": 23}
ZONES = ["Pacific/Auckland", "Pacific/Kiritimati", "America/Los_Angeles", "Etc/GMT+12", "UTC"]
STORED = {
    "postgresql": ["0001-12-31 23:00:00+00 BC", "10000-01-01 00:59:59+00"],
    "sqlite": ["0000-12-31 23:00:00", "9999-12-31 23:59:59"],
}


@pytest.fixture
def look(admin_client: Client) -> Callable[[], None]:
    """Open every page, and request previews in time zones far apart."""

    def get(url: str) -> None:
        response = admin_client.get(url)
        assert response.status_code == 200, (url, response.content[:500])

    def look() -> None:
        for url in PAGES:
            get(url)
        for model, rows in (
            ("notification", Notification.objects.all()),
            ("delivery", Delivery.objects.all()),
            ("product", Product.objects.all()),
        ):
            for row in rows.order_by("-pk")[:5]:
                get(f"/admin/notifications/{model}/{row.pk}/change/")
        for parked in ParkedEvent.objects.order_by("-pk")[:5]:
            get(f"/admin/eventbus_inbox/parkedevent/{parked.pk}/change/")
        for zone in ZONES:
            body = {**PREVIEW, "time_zone": zone}
            response = admin_client.post(
                "/api/subscriptions/preview/", json.dumps(body), content_type="application/json"
            )
            assert response.status_code == 200, response.content[:500]

    return look


@pytest.fixture
def everybody(follow: Follow, user: User) -> None:
    """Subscriptions for every channel, immediate and in digests."""
    user.user_permissions.clear()
    endpoint = Endpoint.objects.create(owner=user, name="Shop", url="https://127.0.0.1:1/hook")
    for channel in ("in_app", "email"):
        for schedule in ("at_once", "daily"):
            follow(channel=channel, schedule=schedule, time_zone="Pacific/Auckland")
    follow(channel="webhook", endpoint=endpoint)


def deliver_all() -> None:
    Delivery.objects.filter(state="pending").update(due_at="2026-01-01T00:00Z")
    deliver()
    # Receivers that cannot be reached are not the subject here.
    assert not Delivery.objects.exclude(channel="webhook").exclude(state="sent").exists()


def test_unreadable_event_times_are_replaced_by_the_time_of_arrival(
    bus: Bus, everybody: None, look: Callable[[], None]
) -> None:
    """A single such row blocked all in-app notifications."""
    for _ in range(3):
        consume(bus, "product.created")
    for event, moment in zip(ProductEvent.objects.all(), STORED[connection.vendor], strict=False):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE notifications_productevent SET at = %s WHERE event_id = %s",
                [moment, event.event_id],
            )
    migration = import_module("notification_service.notifications.migrations.0005_boundary_times")
    migration.replace_times(apps, None)
    now = datetime.now(UTC)
    ages = [now - at for at in ProductEvent.objects.values_list("at", flat=True)]
    assert sum(timedelta(0) <= age < timedelta(minutes=5) for age in ages) == 2
    deliver_all()
    assert len(texts()) == 4  # three immediate ones, and a digest
    assert len(mail.outbox) == 4
    look()


def test_a_custom_text_cannot_block_other_notifications(bus: Bus, follow: Follow) -> None:
    """A name without a value renders as NUL, which PostgreSQL rejects for the whole batch."""
    MessageTemplate.objects.create(
        kind="created",
        language="en",
        text="{{ name }}{% if stock == '7' %}{{ nothing }}{% endif %}",
    )
    follow()
    consume(bus, "product.created", stock=7, name="Pan\0")
    assert ParkedEvent.objects.count() == 0
    consume(bus, "product.created", id=2, name="Wok")
    deliver()
    assert texts() == ["Pan", "Wok"]


AMOUNTS = st.sampled_from(
    ["5.00", "0", "-1", 5, 5.5, "1e400", "1E+1000000", "1E-1000000", "NaN", "Infinity", "sNaN",
     "9" * 20, "9" * 21, "9" * 30, "0." + "9" * 30, "9" * 20 + "." + "9" * 30, None, "x"]
)  # fmt: skip
NUMBERS = st.sampled_from([0, 1, 2**31, 2**63 - 1, 2**63, 10**30, 10**400, -1])
TEXT = st.sampled_from(
    ["Pan", "", "\0", "a\0b", "\n", "\r\nBcc: x@example.com", "\x7f", "x" * 501, "x" * 20_000,
     "日本", "\U0010ffff", "<b>", "{{ x }}", "=1+1", "\u202e", "\ufeff"]
)  # fmt: skip
TIMES = st.sampled_from(
    ["0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00",
     "2016-12-31T23:59:60Z", "0002-01-01T00:00:00Z", "9998-12-31T23:59:59Z", None]
)  # fmt: skip
DATA = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXT,
        "sku": TEXT,
        "description": TEXT,
        "category": st.none() | TEXT,
        "currency": st.sampled_from(["EUR", "XXX", "ZZZ", "EUR\n", "eur"]),
        "price": AMOUNTS,
        "stock": NUMBERS,
        "created_at": TIMES,
        "previous": st.fixed_dictionaries(
            {}, optional={"price": AMOUNTS, "stock": NUMBERS, "name": TEXT, "category": TEXT}
        ),
    },
)
TYPES = st.sampled_from(["product.created", "product.updated", "product.deleted"])
numbers = count(1_000)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=8
)
@example(
    [
        ("product.updated", time, {"price": price, "name": name, "sku": name, "stock": 2**63 - 1})
        for time, price, name in [
            (None, "9" * 20, "\0"),
            ("9998-12-31T23:59:59Z", "0." + "9" * 30, "x" * 501),
            ("0001-01-01T00:00:00+01:00", "5.00", "\r\nBcc: x@example.com"),
            ("0002-01-01T00:00:00Z", "NaN", "Pan"),
            (None, "1E+1000000", "Pan"),
        ]
    ]
)
@given(st.lists(st.tuples(TYPES, TIMES, DATA), min_size=1, max_size=6))
def test_every_accepted_event_is_delivered_and_shown(
    bus: Bus,
    everybody: None,
    look: Callable[[], None],
    told: list[tuple[str, str | None, dict[str, Any]]],
) -> None:
    for event_type, time, changes in told:
        number = next(numbers)
        data = {"previous": {}, **KETTLE, "id": number, **changes}
        event = {
            "specversion": "1.0", "id": f"e{number}", "source": "/x", "type": event_type,
            "subject": str(number), "data": data, **({"time": time} if time else {}),
        }  # fmt: skip
        bus.send(TOPIC, json.dumps(event).encode(), key=str(number).encode())
    bus.consume()
    deliver_all()
    look()
