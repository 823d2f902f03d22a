"""The library on its own: its wheel in an otherwise empty environment."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.following import Reader
from tests.installing import assert_admin_pages_open, environment_with, rows
from tests.stack import ROOT, eventually

SHIPMENTS = "from orders.models import Shipment; print('shipments:', Shipment.objects.count())"
TWO_DATABASES = """
from shop.settings import *

EVENTBUS = {**EVENTBUS, "DATABASE_ALIAS": "events", "CONSUMER_GROUP": "two_databases"}
DATABASES = {
    name: {**DATABASES["default"], "NAME": BASE_DIR / f"{name}.sqlite3"}
    for name in ("default", "events")
}
DATABASE_ROUTERS = ["shop.routers.EventsRouter"]
"""
ROUTER = """
IN_EVENTS = {"orders", "eventbus_outbox", "eventbus_inbox"}


class EventsRouter:
    def db_for_read(self, model, **hints):
        return "events" if model._meta.app_label in IN_EVENTS else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "events") == (app_label in IN_EVENTS)
"""
PLACE = "from orders.models import place_order; place_order('kettle', 1)"
PLACE_IN_EVENTS = f"""
from django.db import transaction

with transaction.atomic(using="events"):
    {PLACE}
"""
TABLES = "SELECT name FROM sqlite_master WHERE name LIKE 'eventbus_%'"
WAITING = "SELECT count(*) FROM eventbus_outbox_outboxevent WHERE published_at IS NULL"
SETTINGS_AT_FAULT = {
    'EVENTBUS.pop("SERVICE_NAME")': "EVENTBUS['SERVICE_NAME'] is missing",
    'EVENTBUS["TOPIC_PARTITION"] = 3': "Did you mean 'TOPIC_PARTITIONS'?",
    'EVENTBUS["TOPIC_PARTITIONS"] = "six"': "EVENTBUS['TOPIC_PARTITIONS'] is invalid",
}


@pytest.fixture(scope="module")
def shop(wheel: Path, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The project of a reader of the tutorial, with a broker at another address."""
    directory = tmp_path_factory.mktemp("reader")
    environment = environment_with(directory, wheel)

    def edit(text: str) -> str:
        installs = text.startswith("python -m pip install")  # done above, from the wheel
        return "python -m pip --version" if installs else text.replace("localhost:9092", kafka)

    reader = Reader(directory, environment, edit)
    try:
        reader.follow(ROOT / "docs" / "tutorial.md")
        yield reader
    finally:
        reader.stop()


def test_the_wheel_has_the_library_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"eventbus"}
    assert "eventbus/py.typed" in names
    assert "eventbus/inbox/templates/admin/eventbus_inbox/decide.html" in names
    assert any(name.startswith("eventbus/inbox/static/") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_tutorial_leads_to_an_event_that_is_handled_once(shop: Reader) -> None:
    shop.run("python manage.py consume_events --drain", "Stopped:")
    assert "shipments: 1\n" in shop.output("python", "manage.py", "shell", "-c", SHIPMENTS)


def test_the_admin_works_in_a_project_with_nothing_but_djangos_own_apps(shop: Reader) -> None:
    assert_admin_pages_open(shop)


def test_outbox_and_inbox_live_in_a_second_database_alone(shop: Reader) -> None:
    (shop.directory / "shop" / "two_databases.py").write_text(TWO_DATABASES)
    (shop.directory / "shop" / "routers.py").write_text(ROUTER)

    def manage(command: str, *words: str, code: int = 0) -> str:
        settings = "--settings=shop.two_databases"
        return shop.output("python", "manage.py", command, settings, *words, code=code)

    manage("migrate")
    manage("migrate", "--database=events")
    assert rows(shop.directory / "default.sqlite3", TABLES) == []
    refused = manage("shell", "-c", PLACE, code=1).splitlines()[-1]
    assert refused.endswith("transaction.atomic(using='events')"), refused
    manage("shell", "-c", PLACE_IN_EVENTS)
    events = shop.directory / "events.sqlite3"
    assert rows(events, WAITING) == [(1,)]
    shop.run("python manage.py relay_events --settings=shop.two_databases &", "")
    eventually(lambda: rows(events, WAITING) == [(0,)])
    assert "Stopped: 2 handled" in manage("consume_events", "--drain")  # the tutorial's, too
    assert "no issues" in manage("check", "--database=events", "--database=default")
    assert "Nothing is parked" in manage("parked", "list")
    assert "two_databases: 0 behind" in manage("lag")
    assert "No worker seen" in manage("workers", code=1)
    assert "shipments: 2\n" in manage("shell", "-c", SHIPMENTS)
    assert_admin_pages_open(shop, "--settings=shop.two_databases")


@pytest.mark.parametrize("fault", SETTINGS_AT_FAULT)
@pytest.mark.parametrize("command", ["relay_events", "consume_events", "asyncapi", "check"])
def test_a_wrong_setting_ends_a_command_with_lines_and_no_traceback(
    shop: Reader, fault: str, command: str
) -> None:
    settings = shop.directory / "shop" / "settings_at_fault.py"
    settings.write_text(f"from shop.settings import *\n\n{fault}\n")
    words = ["python", "manage.py", command, "--settings=shop.settings_at_fault"]
    printed = shop.output(*words, code=1)
    assert SETTINGS_AT_FAULT[fault] in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("fault", SETTINGS_AT_FAULT)
def test_a_web_server_does_not_start_with_a_wrong_setting(shop: Reader, fault: str) -> None:
    settings = shop.directory / "shop" / "served_at_fault.py"
    middleware = "eventbus.middleware.EventContextMiddleware"
    settings.write_text(f"from shop.settings import *\n\nMIDDLEWARE += ['{middleware}']\n{fault}\n")
    start = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.served_at_fault'; import shop.wsgi"
    )
    printed = shop.output("python", "-c", start, code=1)
    assert printed.splitlines()[-1].startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert SETTINGS_AT_FAULT[fault] in printed.splitlines()[-1]
