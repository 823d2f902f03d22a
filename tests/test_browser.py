"""What a person sees: the admin, the inbox page and the audit record, in a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as NotThereYet

from tests.stack import PASSWORD, USER, Stack

pytestmark = pytest.mark.real_too

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"width": 390, "height": 844}
# Chromium's sandbox does not run as root, as CI does, and its own traffic has no place in a test.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        end = pytest.fail if "CI" in os.environ else pytest.skip
        end("no Chromium here; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def log_in(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/login/?next=/admin/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def shows(page: Page, url: str, text: str) -> None:
    """Load the page again until it shows a text, as a person would."""
    page.goto(url)
    for _ in range(20):
        found = page.get_by_text(text).first
        try:
            found.wait_for(timeout=500)
        except NotThereYet:
            page.reload()
        else:
            return
    expect(page.get_by_text(text).first).to_be_visible()


def test_a_price_changed_in_the_admin_is_told_and_recorded(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    product = stack.create_product("WEB-1", name="Copper kettle <b>")
    products = stack.urls["product"]
    log_in(page, products)
    page.goto(f"{products}/admin/products/product/{product['id']}/change/")
    page.get_by_label("Price").fill("14.90")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.screenshot(path=tmp_path / "admin.png")

    log_in(page, stack.urls["notification"])
    text = "The price of Copper kettle <b> fell from 19.90 to 14.90 EUR."
    shows(page, f"{stack.urls['notification']}/", text)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.screenshot(path=tmp_path / "inbox.png")
    page.get_by_role("button", name="Mark").press("Enter")
    expect(page.get_by_role("button", name="Mark")).to_have_count(0)

    page.set_viewport_size({"width": 1280, "height": 800})
    log_in(page, stack.urls["audit"])
    shows(
        page, f"{stack.urls['audit']}/admin/audit/auditentry/?q={product['id']}", "product.updated"
    )
    page.locator("#result_list tbody a").first.click()
    expect(page.get_by_text('"price": "19.90"')).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.screenshot(path=tmp_path / "audit.png")

    page.goto(f"{products}/admin/")  # logging in next door ended no login here
    expect(page.get_by_role("link", name="Products", exact=True).first).to_be_visible()


def test_the_browsable_api_and_its_documentation_open(stack: Stack, page: Page) -> None:
    product = stack.create_product("WEB-2")
    page.goto(f"{stack.urls['product']}/api/products/{product['id']}/")
    expect(page.get_by_text("Kettle WEB-2").first).to_be_visible()
    for service, url in stack.urls.items():
        page.goto(f"{url}/api/docs/")
        if service != "product":
            log_in(page, url)
            page.goto(f"{url}/api/docs/")
        expect(page.locator(".opblock").first).to_be_visible()
