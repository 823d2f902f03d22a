"""Which events become notifications, and the inbox that shows them."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from common.contracts.product import TOPIC
from common.testing.bus import Bus
from notification_service.notifications.models import Notification

pytestmark = pytest.mark.django_db

KETTLE = {
    "id": 1, "sku": "K1", "name": "Kettle <b>", "description": "", "category": None,
    "price": "5.00", "currency": "EUR", "stock": 1, "is_active": True, "version": 1,
    "created_at": "2026-11-01T12:00:00Z", "updated_at": "2026-11-01T12:00:00Z",
}  # fmt: skip


def consume(bus: Bus, event_type: str, **changes: Any) -> list[str]:
    envelope = {
        "specversion": "1.0", "id": "e1", "source": "/product_service", "type": event_type,
        "subject": "1", "data": {**KETTLE, **changes},
    }  # fmt: skip
    for _ in range(2):
        bus.send(TOPIC, json.dumps(envelope).encode(), key=b"1")
    bus.consume()
    return list(Notification.objects.values_list("text", flat=True))


@pytest.mark.parametrize(
    ("event_type", "changes", "texts"),
    [
        ("product.created", {}, ["Kettle <b> is new, at 5.00 EUR."]),
        ("product.deleted", {}, ["Kettle <b> was deleted."]),
        ("product.updated", {"previous": {"name": "Pot"}}, []),
        (
            "product.updated",
            {"previous": {"price": "6.00"}},
            ["The price of Kettle <b> fell from 6.00 to 5.00 EUR."],
        ),
        ("product.updated", {"previous": {"stock": 0}}, ["Kettle <b> is back in stock: 1."]),
        (
            "product.updated",
            {"stock": 0, "previous": {"stock": 1}},
            ["Kettle <b> is out of stock."],
        ),
    ],
)
def test_what_people_are_told(bus, event_type, changes, texts):
    assert consume(bus, event_type, **changes) == texts


def test_the_inbox_page_and_its_api(bus, admin_client):
    assert b"Nothing yet" in admin_client.get("/").content
    consume(bus, "product.created")
    assert b"Kettle &lt;b&gt; is new" in admin_client.get("/").content
    [row] = admin_client.get("/api/notifications/?unread=true").json()["results"]
    assert row["read"] is False
    url = f"/api/notifications/{row['id']}/"
    answer = admin_client.patch(url, {"read": True}, content_type="application/json")
    assert answer.json()["read"] is True
    assert not admin_client.get("/api/notifications/?unread=true").json()["results"]
    assert admin_client.post("/mark-all-read/").status_code == 302


def test_who_may_only_look_changes_nothing(bus, client):
    consume(bus, "product.created")
    viewer = User.objects.create_user("viewer")
    viewer.user_permissions.add(Permission.objects.get(codename="view_notification"))
    client.force_login(viewer)
    assert b"<button>" not in client.get("/").content
    [row] = client.get("/api/notifications/").json()["results"]
    url = f"/api/notifications/{row['id']}/"
    answer = client.patch(url, {"read": True}, content_type="application/json")
    assert answer.status_code == 403
    assert client.post("/mark-all-read/").status_code == 403
    assert not Notification.objects.get().read_at


def test_the_inbox_needs_a_login(client):
    assert client.get("/").status_code == 302
    assert client.get("/api/notifications/").status_code == 401
