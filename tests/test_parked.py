"""Parked events in the admin, while the worker continues."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import PHONE, log_in
from tests.stack import Stack, eventually, trouble

Poisoned = tuple[Stack, Path, dict[str, Any]]


@pytest.fixture
def poisoned(small_stack: Stack) -> Poisoned:
    """A stack whose audit worker fails on one change of a product while a file exists."""
    stack = small_stack
    poison = stack.directory / "poison"
    poison.touch()
    stack.start("product", "relay_events")
    stack.start("audit", "consume_events", **trouble(POISON=poison))
    product = stack.create_product("PARKED-1")
    stack.change(product, description="poison")
    stack.change(product, stock=77)
    eventually(lambda: stack.ready("audit")["parked"] == 2)
    return stack, poison, product


@pytest.mark.real_too
def test_the_worker_tries_again_until_it_works(
    poisoned: Poisoned,
) -> None:
    stack, poison, product = poisoned
    other = stack.create_product("PARKED-2")
    eventually(lambda: stack.recorded(other) == [1])
    assert stack.recorded(product) == [1]
    poison.unlink()
    eventually(lambda: stack.recorded(product) == [1, 2, 3])
    assert (stack.ready("audit")["parked"], stack.ready("audit")["dead"]) == (0, 0)


def test_a_person_sees_it_and_discards_it(poisoned: Poisoned, page: Page, tmp_path: Path) -> None:
    stack, _, product = poisoned
    audit = stack.urls["audit"]
    log_in(page, audit)
    page.goto(f"{audit}/admin/eventbus_inbox/parkedkey/")
    expect(page.get_by_role("row", name="ValueError")).to_contain_text("will be retried")
    page.screenshot(path=tmp_path / "keys.png", full_page=True)
    page.get_by_role("link", name="ValueError").click()
    expect(page.get_by_text("this change is poison").first).to_be_visible()
    expect(page.get_by_text('"type": "product.updated"')).to_be_visible()
    expect(page.get_by_text("Traceback (most recent")).to_be_visible()
    page.screenshot(path=tmp_path / "event.png", full_page=True)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=tmp_path / "event-phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    page.get_by_role("button", name="Discard and release followers").click()
    page.screenshot(path=tmp_path / "reason.png", full_page=True)
    page.get_by_role("button", name="Discard and release followers").click()
    assert page.get_by_label("Reason").evaluate("field => !field.checkValidity()")
    page.get_by_label("Reason").fill("a slip of the pen")
    page.get_by_role("button", name="Discard and release followers").click()
    expect(page.get_by_text("1 event: discard and release followers.")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.screenshot(path=tmp_path / "events.png", full_page=True)

    eventually(lambda: stack.recorded(product) == [1, 3])
    page.goto(f"{audit}/admin/eventbus_inbox/parkedevent/?state__exact=discarded")
    page.get_by_role("link", name="product.updated at").click()
    expect(page.get_by_text("a slip of the pen")).to_be_visible()
    expect(page.get_by_role("button", name="Discard")).to_have_count(0)
    page.screenshot(path=tmp_path / "decided.png", full_page=True)
    page.goto(f"{audit}/admin/eventbus_inbox/parkedkey/")
    page.screenshot(path=tmp_path / "empty.png", full_page=True)
    page.goto(f"{audit}/admin/eventbus_inbox/workerstate/")
    expect(page.get_by_text("running", exact=True)).to_be_visible()
    page.screenshot(path=tmp_path / "workers.png", full_page=True)
