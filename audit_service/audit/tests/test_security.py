"""Rules raise alerts for real streams of events."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from audit_service.audit.models import Alert, Rule
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def send(bus: Bus) -> Callable[..., None]:
    """Send an event some minutes after noon on a Monday, and let it be recorded."""
    sent: list[None] = []

    def send(
        verb: str = "updated",
        minutes: float = 0.0,
        actor: str = "eve",
        subject: str = "1",
        consume: bool = True,
        **data: object,
    ) -> None:
        sent.append(None)
        event = {
            "specversion": "1.0",
            "id": str(len(sent)),
            "source": "/shop",
            "type": f"product.{verb}",
            "subject": subject,
            "time": (MONDAY + timedelta(minutes=minutes)).isoformat(),
            "actor": actor,
            "data": data,
        }
        bus.send("product.events", json.dumps(event).encode(), key=subject.encode())
        if consume:
            bus.consume()

    return send


@pytest.fixture
def only() -> Callable[..., None]:
    """Activate one kind of rule, as shipped with the service."""

    def only(kind: str, **values: object) -> None:
        Rule.objects.exclude(kind=kind).update(is_active=False)
        Rule.objects.filter(kind=kind).update(is_active=True, **values)

    return only


def texts() -> list[str]:
    return list(Alert.objects.order_by("id").values_list("text", flat=True))


def test_many_deletions_by_one_actor_are_reported_once_per_window(
    send: Callable[..., None], only: Callable[..., None]
) -> None:
    only("deletions", threshold=3, window_minutes=10)
    for minutes in (0, 4):
        send("deleted", minutes)
    send("deleted", 5, actor="bob")
    assert texts() == []
    send("deleted", 9)
    assert texts() == ["eve deleted 3 items within 10 minutes"]
    send("deleted", 9.5)
    assert len(texts()) == 1
    for minutes in (30, 31, 32):
        send("deleted", minutes)
    assert len(texts()) == 2


def test_deletions_in_one_batch_count_by_their_own_times(
    send: Callable[..., None], only: Callable[..., None], bus: Bus
) -> None:
    only("deletions", threshold=3, window_minutes=10)
    for minutes in (0, 11, 22, 40, 41, 42, 80):
        send("deleted", minutes, consume=False)
    bus.consume()
    [alert] = Alert.objects.all()
    assert alert.at == MONDAY + timedelta(minutes=42)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("10.00", "15.00", []),
        ("10.00", "15.10", ["price changed by +51 %, from 10.00 to 15.10"]),
        ("10.00", "4.00", ["price changed by -60 %, from 10.00 to 4.00"]),
        ("0.00", "1.00", ["price changed, from 0.00 to 1.00"]),
    ],
)
def test_a_price_change_above_the_threshold_is_reported(
    send: Callable[..., None], only: Callable[..., None], old: str, new: str, told: list[str]
) -> None:
    only("change", threshold=50)
    send(price=new, previous={"price": old})
    send(price="100.00", previous={"name": "Pan"})
    assert texts() == told


def test_a_new_actor_is_reported_once(
    send: Callable[..., None], only: Callable[..., None], bus: Bus
) -> None:
    only("new_actor")
    for actor in ("eve", "eve", "bob", ""):
        send(actor=actor, consume=False)
    bus.consume()
    send(actor="bob")
    send(actor="zoe")
    assert [text.split()[0] for text in texts()] == ["eve", "bob", "zoe"]


@pytest.mark.parametrize(
    ("hours", "minutes", "told"),
    [
        ((7, 20), 0, False),
        ((7, 20), 8 * 60, True),  # eight in the evening
        ((7, 20), -5 * 60 - 1, True),
        ((7, 20), -24 * 60, True),  # a Sunday
        ((22, 6), 0, True),
        ((22, 6), 11 * 60, False),
    ],
)
def test_changes_outside_working_hours_are_reported(
    send: Callable[..., None],
    only: Callable[..., None],
    hours: tuple[int, int],
    minutes: int,
    told: bool,
) -> None:
    only("hours", from_hour=hours[0], until_hour=hours[1])
    send(minutes=minutes)
    send(minutes=minutes + 0.5)
    assert len(texts()) == told


def test_working_hours_are_in_the_time_zone_of_the_rule(
    send: Callable[..., None], only: Callable[..., None]
) -> None:
    only("hours", from_hour=7, until_hour=13, time_zone="Asia/Tokyo")
    send()
    assert texts() == ["eve caused product.updated at 21:00 on a Monday"]


def test_a_rule_only_checks_its_event_types(
    send: Callable[..., None], only: Callable[..., None]
) -> None:
    only("new_actor", types="order.* product.deleted")
    send(actor="eve")
    send("deleted", actor="bob")
    assert [text.split()[0] for text in texts()] == ["bob"]


def test_a_misconfigured_rule_reports_that_and_blocks_nothing(
    send: Callable[..., None], only: Callable[..., None]
) -> None:
    only("hours", time_zone="Mars/Base")
    Rule.objects.filter(kind="new_actor").update(is_active=True)
    send()
    new, blind = Alert.objects.order_by("id")
    assert new.text.startswith("eve was never seen")
    assert (blind.rule.kind, blind.unjudged) == ("hours", 1)
    assert "No time zone found with key Mars/Base" in blind.text


def test_replayed_events_raise_no_alerts(
    send: Callable[..., None], only: Callable[..., None], bus: Bus, replay: Callable[[str], int]
) -> None:
    only("change", threshold=50)
    send(price="90.00", previous={"price": "10.00"})
    assert replay("product.events") == 1
    bus.consume_again()
    assert len(texts()) == 1


def test_handling_alerts_requires_a_permission(
    send: Callable[..., None], only: Callable[..., None], client: Client
) -> None:
    only("new_actor")
    send()
    [alert] = Alert.objects.all()
    url = f"/api/alerts/{alert.pk}/"
    user = User.objects.create_user("carl")
    user.user_permissions.add(Permission.objects.get(codename="view_alert"))
    client.force_login(user)
    [row] = client.get("/api/alerts/?open=true").json()["results"]
    assert (row["rule"], row["handled"], row["actor"]) == ("Somebody new", False, "eve")
    handled = {"handled": True}
    json_type = "application/json"
    assert client.patch(url, handled, json_type).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="manage_alert"))
    client.force_login(User.objects.get(pk=user.pk))
    assert client.patch(url, handled, json_type).json()["handled_by"] == "carl"
    assert not client.get("/api/alerts/?open=true").json()["results"]


def test_the_admin_rejects_an_incomplete_rule(admin_client: Client) -> None:
    form = {"name": "x", "kind": "deletions", "time_zone": "Mars/Base", "field": "", "types": ""}
    page = admin_client.post("/admin/audit/rule/add/", form).content.decode()
    assert page.count("Required for this kind of rule.") == 2
    assert "Unknown time zone" in page
    assert not Rule.objects.filter(name="x").exists()


def test_the_admin_marks_alerts_as_handled(
    send: Callable[..., None], only: Callable[..., None], admin_client: Client
) -> None:
    only("new_actor")
    send()
    [alert] = Alert.objects.all()
    form = {"action": "mark_as_handled", "_selected_action": [alert.pk]}
    page = admin_client.post("/admin/audit/alert/", form, follow=True).content.decode()
    assert "Alerts marked as handled: 1" in page
    alert.refresh_from_db()
    assert alert.handled_by == "admin"
