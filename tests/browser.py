"""A real browser for tests of pages."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from playwright.sync_api import TimeoutError as NotThereYet

from tests.stack import PASSWORD, USER

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE: ViewportSize = {"width": 390, "height": 844}
# Chromium's sandbox does not work as root, as in CI, and tests need no background traffic.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        end = pytest.fail if "CI" in os.environ else pytest.skip
        end("no Chromium here; on Debian: apt-get install chromium")
    # Keeps crash reports and settings out of the home directory.
    environment: dict[str, str | float | bool] = {
        name: value for name, value in os.environ.items() if name[:4] != "XDG_"
    }
    environment["HOME"] = str(tmp_path_factory.mktemp("browser"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, env=environment)
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
    """Reload the page until it shows a text, as a person would."""
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
