"""The explorer in a real browser: events appear and can be opened, on any screen size."""

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import PHONE, log_in
from tests.stack import Databases, Stack, eventually, stopping

pytestmark = pytest.mark.real_too

NO_KAFKA = "127.0.0.1:1"


@pytest.fixture
def shots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The directory for screenshots: the documentation's if requested."""
    return Path(request.config.option.screenshots or tmp_path)


def test_events_appear_as_they_come_and_open_at_a_key(
    stack: Stack, page: Page, shots: Path
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    product = stack.create_product("EXPLORE-1", name="Copper kettle <b>")
    eventually(lambda: stack.recorded(product) == [1])
    audit = stack.urls["audit"]
    log_in(page, audit)
    page.goto(f"{audit}/?subject={product['id']}")
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator("#rate canvas")).to_be_visible()
    stack.change(product, price="99.00", stock=4)
    expect(page.locator(".row")).to_have_count(2)
    expect(page.locator(".row").first).to_contain_text("product.updated")
    page.keyboard.press("j")
    expect(page.locator(".row").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What changed")).to_be_visible()
    expect(page.locator(".fields del").first).to_have_text("19.90")
    expect(page.locator(".holds")).to_have_text("✓ yes")
    page.screenshot(path=shots / "audit-event.png", full_page=True)
    page.get_by_role("link", name="Timeline of product").click()
    expect(page.locator(".timeline > li")).to_have_count(2)
    page.screenshot(path=shots / "audit-timeline.png")
    page.get_by_role("link", name="request").first.click()
    expect(page.get_by_role("heading", name="Request")).to_be_visible()
    page.go_back()
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile("subject="))
    page.get_by_role("link", name="All events").click()
    page.get_by_role("button", name="day").click()
    expect(page.locator("#rate-text")).to_contain_text("events in the last 24 hours")
    expect(page.get_by_text("Price changed a lot").first).to_be_visible()
    page.screenshot(path=shots / "audit-explorer.png")
    assert errors == []


def test_the_explorer_fits_a_phone_in_the_dark(stack: Stack, page: Page, shots: Path) -> None:
    product = stack.create_product("EXPLORE-2")
    eventually(lambda: stack.recorded(product) == [1])
    audit = stack.urls["audit"]
    log_in(page, audit)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    for path in ("/", f"/subjects/product/{product['id']}/", "/?actor=nobody"):
        page.goto(f"{audit}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.get_by_text("No events match these filters")).to_be_visible()
    page.goto(f"{audit}/?subject={product['id']}")
    expect(page.locator("#rate canvas")).to_be_visible()
    page.screenshot(path=shots / "audit-phone.png")
    page.locator(".row").click()
    expect(page.get_by_role("heading", name="Proof")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


RECORD = """
from eventbus.conf import bus_settings
from eventbus.testing.bus import Bus
from eventbus.testing.kafka import InMemoryKafka
bus = Bus(InMemoryKafka(), bus_settings().group)
event = b'{"specversion":"1.0","id":"%d","source":"/x","type":"x.y","data":{"sku":"PROVE-1"}}'
for number in range(20):
    bus.send("order.events", event % number)
bus.consume()
"""


@pytest.fixture
def quiet_stack(databases: Databases, tmp_path: Path) -> Iterator[Stack]:
    """A record that no other test writes to."""
    for stack in stopping(Stack(tmp_path, databases, NO_KAFKA)):
        stack.manage("audit", "shell", "--command", RECORD)
        yield stack


def test_a_shell_verifies_signs_and_exports(quiet_stack: Stack, tmp_path: Path) -> None:
    """The workflow for proving something to a third party."""
    stack = quiet_stack
    assert "all chains are intact" in stack.manage("audit", "verify")
    key = base64.b64encode(os.urandom(32)).decode()
    file = tmp_path / "checkpoint.json"
    for words in (["checkpoint", f"--output={file}"], ["check_checkpoint", str(file)]):
        process = stack.start("audit", *words, AUDIT_SIGNING_KEY=key)
        assert process.wait() == 0, process.output
        assert key not in process.output
    exported = tmp_path / "export.ndjson"
    stack.manage("audit", "export", f"--output={exported}")
    assert "PROVE-1" in exported.read_text()
    without_key = stack.start("audit", "checkpoint")
    assert without_key.wait() == 1
    assert "AUDIT_SIGNING_KEY is not set" in without_key.output
    assert "Traceback" not in without_key.output
