"""The library in a third-party project: an unmodified django-oscar shop."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.following import Reader
from tests.installing import assert_admin_pages_open, environment_with, rows
from tests.stack import ROOT, eventually

OSCAR = ("django-oscar[sorl-thumbnail]==4.2", "Django==5.2.*", "django-environ")
PLACED = "FROM eventbus_outbox_outboxevent WHERE type = 'order.placed' AND published_at"
WAITING = f"SELECT count(*) {PLACED} IS NULL"
RELAYED = f"SELECT aggregateid {PLACED} IS NOT NULL"
PARCELS = "SELECT order_number, value FROM warehouse_parcel"


@pytest.fixture(scope="module")
def oscar(wheel: Path, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A shop with its tables and a topic."""
    directory = tmp_path_factory.mktemp("oscar")
    environment = environment_with(directory, wheel, *OSCAR)
    project = shutil.copytree(ROOT / "tests" / "monoliths" / "oscar_shop", directory / "shop")
    reader = Reader(project, {**environment, "KAFKA_BOOTSTRAP_SERVERS": kafka}, str)
    try:
        reader.run("python manage.py write_contracts", "Review and commit it")
        reader.run("python manage.py check", "System check identified no issues (0 silenced).")
        reader.run("python manage.py migrate", "Applying eventbus_inbox.0001_initial... OK")
        reader.run("python manage.py create_topics", "orders.placed")
        yield reader
    finally:
        reader.stop()


def test_an_order_in_oscars_checkout_is_packed_once(oscar: Reader) -> None:
    bought = oscar.output("python", "manage.py", "shell", "-v0", "-c", "import buy")
    [number] = re.findall(r"^order: (\d+)$", bought, re.M)
    database = oscar.directory / "shop.sqlite3"
    assert rows(database, WAITING) == [(1,)]
    oscar.run("python manage.py relay_events &", "")
    eventually(lambda: rows(database, RELAYED) == [(number,)])
    oscar.run("python manage.py consume_events --drain", "Stopped: 1 handled, 0 failed, 0 parked")
    assert rows(database, PARCELS) == [(number, 24)]
    oscar.run("python manage.py consume_events --drain", "Stopped: 0 handled, 0 failed, 0 parked")
    assert rows(database, PARCELS) == [(number, 24)]


def test_the_admin_of_the_shop_has_the_pages_of_the_bus(oscar: Reader) -> None:
    assert_admin_pages_open(oscar)
