"""Outgoing notifications: real processes, a real mail server, a real application."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import PHONE, log_in
from tests.receivers import Application, Mailboxes
from tests.stack import Stack, eventually, free_port, running

pytestmark = pytest.mark.real_too

MAKE_DUE = """
from django.utils import timezone
from notification_service.notifications.models import Circuit, Delivery
Delivery.objects.filter(state="pending").update(due_at=timezone.now())
Circuit.objects.update(open_until=timezone.now())
"""


def follow(stack: Stack, **wanted: Any) -> None:
    answer = stack.client("notification").post("/api/subscriptions/", json=wanted)
    assert answer.status_code == 201, answer.text


def deliveries(stack: Stack, product: dict[str, Any], channel: str) -> list[dict[str, Any]]:
    found = {"product_id": product["id"], "channel": channel}
    return stack.rows("notification", "/api/deliveries/", **found)


@pytest.fixture
def application(stack: Stack) -> Iterator[Application]:
    """An application that gets a webhook for each product with “Hooked” in its name."""
    client = stack.client("notification")
    port = free_port()
    endpoint = {"name": f"on {port}", "url": f"http://127.0.0.1:{port}/"}
    made = client.post("/api/endpoints/", json=endpoint).raise_for_status().json()
    chosen = {"channel": "webhook", "endpoint": made["id"], "products": "text", "text": "Hooked"}
    follow(stack, **chosen)
    with running(Application(port, made["secret"])) as application:
        yield application
    client.delete(f"/api/endpoints/{made['id']}/").raise_for_status()


def test_one_change_sends_a_mail_and_a_webhook(
    stack: Stack, application: Application, mailboxes: Mailboxes
) -> None:
    product = stack.create_product("SENT-1", name="Hooked 1")
    eventually(lambda: deliveries(stack, product, "in_app"))  # later changes match the new one
    follow(stack, channel="email", products="list", product_ids=[str(product["id"])])
    stack.change(product, price="9.90")
    [mail] = eventually(lambda: mailboxes.about("Hooked 1"))
    assert mail["Subject"].strip() == "The price of Hooked 1 fell from €19.90 to €9.90 (by 50%)."
    eventually(lambda: len(application.received) == 2)
    payloads = [json.loads(text.split(" ", 1)[1]) for text in application.received.values()]
    assert [one["data"]["product"]["version"] for one in payloads] == [1, 2]
    [sent] = eventually(lambda: deliveries(stack, product, "email"))
    assert eventually(lambda: deliveries(stack, product, "email")[0]["state"] == "sent"), sent


def test_after_a_kill_nothing_is_lost_and_duplicates_can_be_detected(
    stack: Stack, application: Application
) -> None:
    """Three processes deliver; one is killed while the application delays its request."""
    application.waits.clear()
    with stack.visit():
        others = [stack.start("notification", "deliver") for _ in range(2)]
        products = [stack.create_product(f"KILL-{n}", name=f"Hooked {n}") for n in range(30)]
        eventually(lambda: application.requests >= 2)
        others[0].kill()
        application.waits.set()
        last = products[-1]
        eventually(lambda: deliveries(stack, last, "webhook"))

        def all_sent() -> bool:
            stack.manage("notification", "shell", "--command", MAKE_DUE)
            states = [deliveries(stack, product, "webhook")[0]["state"] for product in products]
            return set(states) == {"sent"}

        eventually(all_sent, seconds=60)
    assert len(application.received) == 30
    assert application.forged == 0


def test_a_receiver_that_hangs_holds_up_nobody(stack: Stack, application: Application) -> None:
    application.waits.clear()
    product = stack.create_product("HANG-1", name="Hooked and hung")
    eventually(lambda: application.requests)
    mine = {"product_id": product["id"]}
    eventually(lambda: stack.rows("notification", "/api/notifications/", **mine), seconds=5)
    other = stack.create_product("HANG-2", name="Another")
    other_mine = {"product_id": other["id"]}
    eventually(lambda: stack.rows("notification", "/api/notifications/", **other_mine), seconds=5)
    assert not application.received


def test_failed_deliveries_are_sent_when_the_application_is_back(
    stack: Stack, application: Application
) -> None:
    application.fails = 2
    product = stack.create_product("BACK-1", name="Hooked back")

    def is_received() -> bool:
        stack.manage("notification", "shell", "--command", MAKE_DUE)
        return len(application.received) == 1

    eventually(is_received, seconds=30)
    [sent] = eventually(
        lambda: [d for d in deliveries(stack, product, "webhook") if d["state"] == "sent"]
    )
    assert sent["attempts"] == 3
    assert list(application.received) == [sent["id"]]


def test_delivering_refuses_to_start_without_a_key(stack: Stack) -> None:
    with stack.visit():
        process = stack.start("notification", "deliver", SECRET_KEY="")
        assert process.wait() == 2
    assert process.output.strip().startswith("CommandError: Set SECRET_KEY")


def test_following_by_the_page_and_seeing_it_arrive(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    home = stack.urls["notification"]
    log_in(page, home)
    page.goto(home)
    page.get_by_role("link", name="Subscriptions").click()
    page.get_by_role("link", name="New subscription").first.click()
    expect(page.get_by_label("Price drop of at least (%)")).to_be_hidden()
    page.get_by_label("Notify me about").select_option("price_dropped")
    page.get_by_label("Price drop of at least (%)").fill("10")
    page.get_by_label("Products", exact=True).select_option("text")
    page.get_by_label("Text").fill("Followed")
    page.get_by_role("button", name="Preview").press("Enter")
    expect(page.get_by_role("heading", name="Messages for the latest")).to_be_visible()
    page.screenshot(path=tmp_path / "preview.png", full_page=True)
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("products whose name contains “Followed”")).to_be_visible()
    page.screenshot(path=tmp_path / "subscriptions.png", full_page=True)

    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    page.goto(home)
    for path in ("", "subscriptions/", "subscriptions/new/"):
        page.goto(f"{home}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        page.screenshot(path=tmp_path / f"phone-{path.replace('/', '-')}.png", full_page=True)
    page.goto(home)
    if page.get_by_role("button", name="Mark all as read").count():
        page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_text("0 unread")).to_be_visible()
    product = stack.create_product("FOLLOW-1", name="Followed & loved")
    stack.change(product, price="10.00")  # matches two subscriptions, so notified twice
    expect(page.get_by_text("3 unread")).to_be_visible(timeout=15_000)
    expect(page).to_have_title("(3) Notifications")
    rows = page.locator(".notification.unread", has_text="Followed & loved fell from €19.90")
    expect(rows).to_have_count(2)
    page.screenshot(path=tmp_path / "live.png")
    rows.first.get_by_role("button", name="Mark as read").press("Enter")
    expect(page.get_by_text("2 unread")).to_be_visible()
    expect(page).to_have_title("(2) Notifications")

    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{home}/admin/notifications/delivery/")
    expect(page.get_by_role("img", name="in-app, per day")).to_be_visible()
    page.screenshot(path=tmp_path / "deliveries.png", full_page=True)
