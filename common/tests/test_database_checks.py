"""A database that the bus cannot use is refused before anything is written to it."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django.db.backends.postgresql import psycopg_any

from common.tests.conftest import Settings
from eventbus.checks import (
    database_can_hold_outbox_and_inbox,
    routers_let_the_tables_be_created,
)


def refusals() -> list[str]:
    """Id, message and hint of each error that the check reports."""
    found = database_can_hold_outbox_and_inbox()
    return [f"{message.id} {message.msg} {message.hint}" for message in found]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Change the vendor of Django's connection."""
    kind = type(connections["default"])
    return lambda name: monkeypatch.setattr(kind, "vendor", name)


def test_the_databases_of_these_tests_are_supported() -> None:
    assert refusals() == []


@pytest.mark.parametrize(("name", "reason"), [("mysql", "partial unique"), ("oracle", "tested on")])
def test_another_database_is_refused_in_one_line(
    vendor: Callable[[str], None], name: str, reason: str
) -> None:
    vendor(name)
    [refusal] = refusals()
    assert refusal.startswith("eventbus.E002 The event bus cannot use the database 'default': ")
    assert reason in refusal
    assert "Use PostgreSQL, or SQLite" in refusal
    assert "\n" not in refusal


@pytest.mark.django_db
def test_nothing_is_migrated_where_it_is_refused(vendor: Callable[[str], None]) -> None:
    vendor("mysql")
    with pytest.raises(SystemCheckError, match=r"eventbus\.E002"):
        call_command("migrate", stdout=StringIO(), skip_checks=False)


def test_the_database_that_the_bus_does_not_use_may_be_any(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = connections.create_connection("default")
    other.alias, other.vendor = "other", "mysql"
    monkeypatch.setitem(connections.settings, "other", connections.settings["default"])
    held = connections._connections  # type: ignore[attr-defined]  # which Django's stubs lack
    monkeypatch.setattr(held, "other", other, raising=False)
    assert refusals() == []
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "other"}
    [refusal] = refusals()
    assert refusal.startswith("eventbus.E002 The event bus cannot use the database 'other': ")


def test_psycopg2_is_refused_in_one_line(
    vendor: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor("postgresql")
    monkeypatch.setattr(psycopg_any, "is_psycopg3", False)
    [refusal] = refusals()
    assert refusal.startswith("eventbus.E003 The event bus requires psycopg 3")
    assert 'python -m pip install "psycopg[binary]"' in refusal


def test_an_alias_that_names_no_database(settings: Settings) -> None:
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "nowhere"}
    [refusal] = refusals()
    assert refusal == (
        "eventbus.E001 EVENTBUS['DATABASE_ALIAS'] is invalid: DATABASES has no 'nowhere'. "
        "Use one of: default, bus."
    )


@pytest.mark.parametrize("name", ["BusRouter", "OppositeRouter"])
@pytest.mark.parametrize("alias", ["default", "bus"])
def test_a_router_may_say_nothing_of_the_library_or_send_its_queries_elsewhere(
    settings, alias, name
):
    settings.DATABASE_ROUTERS = [f"common.tests.routers.{name}"]
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": alias}
    assert routers_let_the_tables_be_created() == []


@pytest.mark.parametrize(
    ("name", "place"),
    [("ElsewhereRouter", "database 'default', but in 'bus'."), ("NowhereRouter", "'default'.")],
)
def test_a_router_that_keeps_the_tables_out_is_an_error(settings, name, place):
    settings.DATABASE_ROUTERS = [f"common.tests.routers.{name}"]
    with pytest.raises(SystemCheckError) as refusal:
        call_command("check")
    [line] = [line for line in str(refusal.value).splitlines() if "eventbus.E004" in line]
    assert line.endswith(place)
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "bus"}
    assert (routers_let_the_tables_be_created() == []) == (name == "ElsewhereRouter")
