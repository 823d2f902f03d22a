"""The pages and the API, used as people use them."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from eventbus.testing.bus import Bus
from notification_service.notifications.models import (
    Delivery,
    Endpoint,
    MessageTemplate,
    Notification,
    Subscription,
)
from notification_service.notifications.tests.rules import Follow, consume, deliver

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def ada(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def test_the_empty_notifications_page_says_what_to_do(
    bus: Bus, ada: Client, follow: Follow
) -> None:
    assert b"You have no active subscriptions" in ada.get("/").content
    follow()
    assert b"No notifications yet" in ada.get("/").content


def test_the_notifications_page_and_its_api(bus: Bus, ada: Client, follow: Follow) -> None:
    follow()
    consume(bus, "product.created")
    deliver()
    page = ada.get("/").content.decode()
    assert "Kettle &lt;b&gt; is now available" in page
    assert "1 unread" in page
    assert "<title>(1) Notifications</title>" in page
    [row] = ada.get("/api/notifications/?unread=true").json()["results"]
    assert (row["read"], row["kind"]) == (False, "created")
    assert ada.get("/api/notifications/count/").json() == {"unread": 1}
    url = f"/api/notifications/{row['id']}/"
    assert ada.patch(url, {"read": True}, content_type=JSON).json()["read"] is True
    assert ada.patch(url, {"read": False}, content_type=JSON).json()["read"] is False
    assert ada.post("/api/notifications/mark-all-read/").json() == {"unread": 0}
    assert not ada.get("/api/notifications/?unread=true").json()["results"]


def test_new_notifications_appear_with_their_count(bus: Bus, ada: Client, follow: Follow) -> None:
    follow()
    [url] = re.findall(r'hx-get="(/newer/[^"]*)"', ada.get("/").content.decode())
    assert "0 unread" in ada.get(url).content.decode()
    consume(bus, "product.created")
    deliver()
    answer = ada.get(url).content.decode()
    assert "Kettle &lt;b&gt; is now available" in answer
    assert "<title>(1) Notifications</title>" in answer
    [url] = re.findall(r'hx-get="(/newer/[^"]*)"', answer)
    assert "is now available" not in ada.get(url).content.decode()


def test_a_notification_is_marked_as_read_with_and_without_script(
    bus: Bus, ada: Client, follow: Follow
) -> None:
    follow()
    for number in (1, 2):
        consume(bus, "product.created", id=number)
    deliver()
    first, second = Notification.objects.order_by("id")
    assert ada.post(f"/mark-read/{first.pk}/").status_code == 302
    answer = ada.post(f"/mark-read/{second.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "0 unread" in answer
    assert "unread" not in re.findall(r'<li class="(.*?)"', answer)[0]
    assert not Notification.objects.filter(read_at=None).exists()
    assert ada.post("/mark-all-read/").status_code == 302


def test_users_see_only_their_own_rows(
    bus: Bus, ada: Client, follow: Follow, admin_client: Client
) -> None:
    subscription = follow()
    consume(bus, "product.created")
    deliver()
    notification = Notification.objects.get()
    other = admin_client
    assert "Kettle" not in other.get("/").content.decode()
    assert other.get(f"/api/notifications/{notification.pk}/").status_code == 404
    assert other.post(f"/mark-read/{notification.pk}/").status_code == 404
    assert other.get(f"/subscriptions/{subscription.pk}/").status_code == 404
    assert other.post(f"/subscriptions/{subscription.pk}/delete/").status_code == 404
    assert other.get(f"/api/subscriptions/{subscription.pk}/").status_code == 404


@pytest.mark.parametrize("path", ["", "subscriptions/", "subscriptions/new/", "newer/"])
def test_pages_need_a_login(client: Client, path: str) -> None:
    assert client.get(f"/{path}").status_code == 302


@pytest.mark.parametrize("name", ["notifications", "subscriptions", "endpoints", "deliveries"])
def test_the_api_needs_a_login(client: Client, name: str) -> None:
    assert client.get(f"/api/{name}/").status_code == 401


FORM = {
    "condition": "price_dropped", "percent": "10", "products": "text", "text": "kettle",
    "channel": "in_app", "schedule": "at_once", "digest_hour": "8", "time_zone": "Europe/Berlin",
    "language": "en",
}  # fmt: skip


def test_subscribing_on_the_page(bus: Bus, ada: Client) -> None:
    consume(bus, "product.updated", price="5.00", previous={"price": "6.00"})
    consume(bus, "product.updated", price="5.00", previous={"price": "5.10"})
    shown = ada.post("/subscriptions/new/", {**FORM, "preview": "1"}).content.decode()
    assert "Messages for the latest 2 events: 1" in shown
    assert "fell from €6.00 to €5.00" in shown
    assert not Subscription.objects.exists()
    assert ada.post("/subscriptions/new/", FORM).status_code == 302
    subscription = Subscription.objects.get()
    assert (subscription.text, subscription.percent, subscription.owner.username) == (
        "kettle", Decimal(10), "ada",
    )  # fmt: skip
    page = ada.get("/subscriptions/").content.decode()
    assert "products whose name contains “kettle”" in page
    url = f"/subscriptions/{subscription.pk}/"
    ada.post(f"{url}switch/")
    assert "(paused)" in ada.get("/subscriptions/").content.decode()
    ada.post(url, {**FORM, "products": "list", "product_ids": "7, 8,7"})
    subscription.refresh_from_db()
    assert subscription.product_ids == ["7", "8"]
    assert 'value="7, 8"' in ada.get(url).content.decode()
    ada.post(f"{url}delete/")
    assert not Subscription.objects.exists()


def test_the_form_explains_errors(ada: Client) -> None:
    page = ada.post("/subscriptions/new/", {**FORM, "text": "", "time_zone": "x"}).content.decode()
    assert "at least 3 letters" in page
    assert "Unknown time zone" in page
    assert 'value="webhook"' not in page


def test_subscribing_with_the_api(bus: Bus, ada: Client, user: User, admin_user: User) -> None:
    wanted = {"condition": "price_dropped", "below": "6", "products": "list", "product_ids": ["1"]}
    consume(bus, "product.updated", price="5.00", previous={"price": "6.00"})
    draft = ada.post("/api/subscriptions/preview/", wanted, content_type=JSON).json()
    assert (draft["events"], len(draft["messages"])) == (1, 1)
    made = ada.post("/api/subscriptions/", wanted, content_type=JSON)
    assert made.status_code == 201
    url = f"/api/subscriptions/{made.json()['id']}/"
    assert ada.get(f"{url}preview/").json() == draft
    wrong = ada.patch(url, {"percent": "5", "condition": "deleted"}, content_type=JSON)
    assert wrong.status_code == 400
    assert {error["pointer"] for error in wrong.json()["errors"]} == {"#/percent", "#/below"}
    theirs = Endpoint.objects.create(owner=admin_user, name="x", url="https://example.com")
    webhook = {"channel": "webhook", "endpoint": theirs.pk}
    assert ada.post("/api/subscriptions/", webhook, content_type=JSON).status_code == 400
    mine = Endpoint.objects.create(owner=user, name="x", url="https://example.com")
    webhook["endpoint"] = mine.pk
    assert ada.post("/api/subscriptions/", webhook, content_type=JSON).status_code == 201
    assert ada.delete(url).status_code == 204


def test_endpoints_require_a_permission(ada: Client, user: User) -> None:
    wanted = {"name": "shop", "url": "https://example.com/hook"}
    assert ada.post("/api/endpoints/", wanted, content_type=JSON).status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename__endswith="_endpoint"))
    ada.force_login(User.objects.get(pk=user.pk))
    private = {**wanted, "url": "https://10.0.0.1/"}
    refused = ada.post("/api/endpoints/", private, content_type=JSON)
    assert refused.status_code == 400
    assert "private network" in refused.json()["errors"][0]["detail"]
    assert ada.post("/api/endpoints/", wanted, content_type=JSON).status_code == 201


def test_deliveries_are_shown_and_resent(
    bus: Bus, ada: Client, user: User, follow: Follow, admin_client: Client
) -> None:
    follow()
    event_id = consume(bus, "product.created")
    deliver()
    [shown] = ada.get("/api/deliveries/?state=sent").json()["results"]
    assert (shown["event_id"], shown["answer"], shown["owner"]) == (
        event_id,
        "in the application",
        "ada",
    )
    assert shown["attempts"] == 1
    found = ada.get("/api/deliveries/statistics/").json()
    [in_app] = [channel for channel in found if channel["channel"] == "in_app"]
    assert in_app["days"][-1]["sent"] == 1
    again = ada.post(f"/api/deliveries/{shown['id']}/resend/").json()
    assert (again["state"], again["attempts"]) == ("pending", 0)
    deliver()
    assert Notification.objects.count() == 2
    grace = User.objects.create_user("grace")
    ada.force_login(grace)
    assert ada.get(f"/api/deliveries/{shown['id']}/").status_code == 404
    grace.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    ada.force_login(User.objects.get(pk=grace.pk))
    assert ada.get(f"/api/deliveries/{shown['id']}/").status_code == 200
    assert ada.post(f"/api/deliveries/{shown['id']}/resend/").status_code == 403
    assert admin_client.post(f"/api/deliveries/{shown['id']}/resend/").status_code == 200


def test_the_admin_shows_and_resends_deliveries(
    bus: Bus, follow: Follow, admin_client: Client
) -> None:
    follow()
    consume(bus, "product.created")
    deliver()
    url = "/admin/notifications/delivery/"
    page = admin_client.get(url).content.decode()
    assert "<strong>in-app</strong>: 1 sent" in page
    chosen = {"action": "send_again", "_selected_action": [Delivery.objects.get().pk]}
    assert "to be sent again: 1" in admin_client.post(url, chosen, follow=True).content.decode()
    assert Delivery.objects.get().state == "pending"


@pytest.mark.parametrize(
    "name",
    [
        "notification", "subscription", "endpoint", "delivery", "messagetemplate", "product",
        "circuit",
    ],
)  # fmt: skip
def test_every_admin_page_opens(bus: Bus, follow: Follow, admin_client: Client, name: str) -> None:
    follow()
    consume(bus, "product.created")
    deliver()
    assert admin_client.get(f"/admin/notifications/{name}/?q=x").status_code == 200
    if name in ("subscription", "endpoint", "messagetemplate"):
        assert admin_client.get(f"/admin/notifications/{name}/add/").status_code == 200


def test_the_admin_edits_subscriptions_and_texts(
    follow: Follow, user: User, admin_client: Client
) -> None:
    subscription = follow()
    url = f"/admin/notifications/subscription/{subscription.pk}/change/"
    form = {**FORM, "owner": user.pk, "product_ids": "3,4", "event_types": "[]", "is_active": "on"}
    answer = admin_client.post(url, form)
    assert answer.status_code == 302, re.findall("errorlist.*", answer.content.decode())
    subscription.refresh_from_db()
    assert (subscription.text, subscription.product_ids) == ("kettle", ["3", "4"])
    url = "/admin/notifications/messagetemplate/add/"
    text = {"kind": "created", "language": "de", "text": "{{ prise }}"}
    assert "Unknown name" in admin_client.post(url, text).content.decode()
    assert admin_client.post(url, {**text, "text": "{{ price }}"}).status_code == 302
    assert MessageTemplate.objects.get().text == "{{ price }}"


def test_the_secret_of_a_new_endpoint_is_shown(user: User, admin_client: Client) -> None:
    form = {"name": "x", "url": "https://example.com", "owner": user.pk, "is_active": "on"}
    page = admin_client.post("/admin/notifications/endpoint/add/", form, follow=True)
    assert Endpoint.objects.get().secret in page.content.decode()


def test_readyz_reports_overdue_deliveries(bus: Bus, follow: Follow, admin_client: Client) -> None:
    follow()
    consume(bus, "product.created")
    Delivery.objects.update(due_at="2026-01-01T00:00Z")
    assert admin_client.get("/readyz").json()["deliveries"]["overdue_seconds"] > 1000
    deliver()
    found = admin_client.get("/readyz").json()["deliveries"]
    assert found == {"overdue_seconds": 0, "resting": []}
