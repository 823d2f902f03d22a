"""The record: events are stored, and shown to users with permission."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from audit_service.audit.models import AuditEntry
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

EVENT = (
    b'{"specversion":"1.0","id":"%d","source":"/shop","type":"order.placed","subject":"9",'
    b'"time":"2026-11-01T12:00:00Z","sequence":%d,"actor":"eve","data":{"total":"7.00"}}'
)


@pytest.fixture
def recorded(bus: Bus) -> None:
    for number in (1, 2, 2):
        bus.send("order.events", EVENT % (number, number), key=b"9")
    bus.consume()


def test_every_event_is_stored_unchanged_and_once(recorded: None) -> None:
    second, first = AuditEntry.objects.all()
    assert bytes(first.value) == EVENT % (1, 1)
    assert (second.sequence, second.offset, second.actor) == (2, 1, "eve")


def test_a_replay_creates_no_duplicates(recorded: None, replay: Callable[[str], int]) -> None:
    assert replay("order.events") == 3
    assert AuditEntry.objects.count() == 2


def test_a_worker_behind_a_replay_creates_no_duplicates(
    bus: Bus, replay: Callable[[str], int]
) -> None:
    for number in (1, 2):
        bus.send("order.events", EVENT % (number, number), key=b"9")
    replay("order.events")
    assert AuditEntry.objects.count() == 2
    bus.send("order.events", EVENT % (3, 3), key=b"9")
    bus.consume()
    positions = AuditEntry.objects.order_by("id").values_list("sequence", "position")
    assert list(positions) == [(1, 1), (2, 2), (3, 3)]
    replay("order.events")
    assert AuditEntry.objects.count() == 3


def test_the_api_lists_newest_first_with_filters(recorded: None, admin_client: Client) -> None:
    rows = admin_client.get("/api/events/?subject=9&type=order.placed&actor=eve").json()["results"]
    assert [row["sequence"] for row in rows] == [2, 1]
    assert rows[0]["data"] == {"total": "7.00"}
    assert not admin_client.get("/api/events/?since=2026-11-02T00:00:00Z").json()["results"]


def test_reading_requires_the_permission(recorded: None, client: Client) -> None:
    assert client.get("/api/events/").status_code == 401
    client.force_login(User.objects.create_user("bob"))
    assert client.get("/api/events/").status_code == 403
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    client.force_login(viewer)
    assert len(client.get("/api/events/").json()["results"]) == 2
    assert client.get("/admin/audit/auditentry/").status_code == 200
    assert client.post("/api/events/", {}).status_code == 403


def test_events_without_json_are_stored_and_shown(bus: Bus, admin_client: Client) -> None:
    attributes = {"specversion": "1.0", "id": "b", "source": "/x", "type": "photo.taken"}
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    bus.send("photo.events", b"\xff\xd8", b"1", [*headers, ("content-type", b"image/jpeg")])
    bus.consume()
    entry = AuditEntry.objects.get()
    assert bytes(entry.value) == b"\xff\xd8"
    assert admin_client.get(f"/api/events/{entry.pk}/").json()["data"] is None
    assert admin_client.get(f"/admin/audit/auditentry/{entry.pk}/change/").status_code == 200


def test_the_admin_cannot_change_the_record(recorded: None, admin_client: Client) -> None:
    entry = AuditEntry.objects.all()[0]
    url = f"/admin/audit/auditentry/{entry.pk}/change/"
    assert b"order.placed" in admin_client.get(url).content
    assert admin_client.post(url, {"actor": "mallory"}).status_code == 403
    assert admin_client.get("/readyz").json()["workers"] == []
