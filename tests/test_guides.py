"""The how-to guides of the library: their code and commands, in the order of the pages."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.following import Reader
from tests.installing import environment_with
from tests.stack import ROOT, eventually

GUIDES = ROOT / "docs" / "how-to"
TWO_ORDERS = "from orders.placing import place_order; place_order(7); place_order(8)"
WAITING = (
    "from eventbus.outbox.models import OutboxEvent as E; "
    "print('waiting:', E.objects.filter(published_at=None).count())"
)
ELSEWHERE = "from orders.placing_elsewhere import place_order_in; place_order_in('orders', 7)"
SETTINGS = """
INSTALLED_APPS += ["orders"]
ADMINS = [("Team", "team@example.com")]
"""


def pages(heading: str) -> list[Path]:
    """The guides below a heading of the index, in its order."""
    _, _, after = (GUIDES / "index.md").read_text().partition(f"\n## {heading}\n")
    [names] = re.findall(
        r"```\{toctree\}\n:maxdepth: 1\n\n(.*?)\n```", after.split("\n## ")[0], re.S
    )
    return [GUIDES / f"{name}.md" for name in names.split()]


@pytest.fixture(scope="module")
def shop(wheel: Path, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """An empty project with the app that the guides extend, and the library's wheel."""
    directory = tmp_path_factory.mktemp("guides")
    environment = environment_with(directory, f"{wheel}[testing]")

    def edit(text: str) -> str:
        installed = re.sub(r"pip install .*", "pip check", text)
        return installed.replace("localhost:9092", kafka)

    reader = Reader(directory, environment, edit)
    reader.run("django-admin startproject shop", "")
    reader.run("cd shop", "")
    shutil.copytree(ROOT / "tests" / "guided_shop", reader.directory, dirs_exist_ok=True)
    with (reader.directory / "shop" / "settings.py").open("a") as settings:
        settings.write(SETTINGS)
    try:
        reader.run("python manage.py makemigrations orders", "Create model Order")
        yield reader
    finally:
        reader.stop()


def test_the_guides_of_the_library_can_be_followed(shop: Reader) -> None:
    for page in pages("The library"):
        if page.stem == "resolve-parked-events":
            have_two_parked(shop)
        shop.follow(page)
    shop.run(f'python manage.py shell --settings=shop.two_databases -c "{ELSEWHERE}"', "")
    shop.run("python -m pytest -q --ds=shop.settings guides.py", "8 passed")


def have_two_parked(shop: Reader) -> None:
    """Park the events of two orders, as a handler cannot reach the warehouse."""
    shop.run(f'python manage.py shell -c "{TWO_ORDERS}"', "")
    eventually(lambda: "waiting: 0" in shop.output("python", "manage.py", "shell", "-c", WAITING))
    shop.run("env WAREHOUSE=down python manage.py consume_events --max-events 2", "2 parked")
