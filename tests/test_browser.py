"""The pages in a real browser: admin, notifications and audit record."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import PHONE, log_in, shows
from tests.stack import Stack, eventually

pytestmark = pytest.mark.real_too


def test_a_price_changed_in_the_admin_is_notified_and_recorded(
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
    text = "The price of Copper kettle <b> fell from €19.90 to €14.90 (by 25%)."
    shows(page, f"{stack.urls['notification']}/", text)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.screenshot(path=tmp_path / "notifications.png")
    page.get_by_role("button", name="Mark all as read").press("Enter")
    expect(page.get_by_role("button", name="Mark all as read")).to_have_count(0)

    page.set_viewport_size({"width": 1280, "height": 800})
    log_in(page, stack.urls["audit"])
    shows(
        page, f"{stack.urls['audit']}/admin/audit/auditentry/?q={product['id']}", "product.updated"
    )
    page.locator("#result_list tbody a").first.click()
    expect(page.get_by_text('"price": "19.90"')).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.screenshot(path=tmp_path / "audit.png")

    page.goto(f"{products}/admin/")  # the login to the other service did not end this one
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


FILE = """sku,name,price
WEB-3,Pan,12.50
WEB-4,Pot,{price}
"""


def choose(page: Page, url: str, path: Path) -> None:
    """Upload a file to import in the admin, and look at the preview."""
    page.goto(f"{url}/admin/products/product/")
    page.get_by_role("link", name="Import").click()
    page.get_by_label("File to import").set_input_files(path)
    page.get_by_label("Format").select_option(label="csv")
    page.get_by_role("button", name="Submit").click()


def test_a_file_is_previewed_corrected_and_imported(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "products.csv"
    log_in(page, stack.urls["product"])
    path.write_text(FILE.format(price="-1"))
    choose(page, stack.urls["product"], path)
    expect(page.get_by_text("greater than or equal to 0")).to_be_visible()
    expect(page.get_by_role("button", name="Confirm import")).to_have_count(0)
    page.screenshot(path=tmp_path / "wrong.png", full_page=True)
    path.write_text(FILE.format(price="8"))
    choose(page, stack.urls["product"], path)
    page.screenshot(path=tmp_path / "preview.png", full_page=True)
    page.get_by_role("button", name="Confirm import").click()
    expect(page.get_by_text("Import finished: 2 new")).to_be_visible()
    [pan] = stack.rows("product", "/api/products/", sku="WEB-3")
    eventually(lambda: stack.recorded(pan) == [1])


def test_events_are_explained_on_a_phone_too(stack: Stack, page: Page, tmp_path: Path) -> None:
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    page.goto(f"{stack.urls['product']}/events/")
    page.get_by_role("link", name="product.updated").press("Enter")
    event = page.locator("[id='product.updated']")
    event.locator("summary").press("Enter")
    expect(event.get_by_text('"correlationid"')).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.screenshot(path=tmp_path / "events.png")
