"""A database that the bus cannot use is refused before anything is written to it."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django.db.backends.postgresql import psycopg_any

from eventbus.checks import database_can_hold_outbox_and_inbox


def refusals() -> list[str]:
    """Id, message and hint of each error that the check reports."""
    found = database_can_hold_outbox_and_inbox()
    return [f"{message.id} {message.msg} {message.hint}" for message in found]


@pytest.fixture
def vendor(monkeypatch):
    """Change the vendor of Django's connection."""
    kind = type(connections["default"])
    return lambda name: monkeypatch.setattr(kind, "vendor", name)


def test_the_databases_of_these_tests_are_supported():
    assert refusals() == []


@pytest.mark.parametrize(("name", "reason"), [("mysql", "partial unique"), ("oracle", "tested on")])
def test_another_database_is_refused_in_one_line(vendor, name, reason):
    vendor(name)
    [refusal] = refusals()
    assert refusal.startswith("eventbus.E002 The event bus cannot use the database 'default': ")
    assert reason in refusal
    assert "Use PostgreSQL, or SQLite" in refusal
    assert "\n" not in refusal


@pytest.mark.django_db
def test_nothing_is_migrated_where_it_is_refused(vendor):
    vendor("mysql")
    with pytest.raises(SystemCheckError, match=r"eventbus\.E002"):
        call_command("migrate", stdout=StringIO(), skip_checks=False)


def test_the_database_that_the_bus_does_not_use_may_be_any(settings, monkeypatch):
    other = connections.create_connection("default")
    other.alias, other.vendor = "other", "mysql"
    monkeypatch.setitem(connections.settings, "other", connections.settings["default"])
    monkeypatch.setattr(connections._connections, "other", other, raising=False)
    assert refusals() == []
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "other"}
    [refusal] = refusals()
    assert refusal.startswith("eventbus.E002 The event bus cannot use the database 'other': ")


def test_psycopg2_is_refused_in_one_line(vendor, monkeypatch):
    vendor("postgresql")
    monkeypatch.setattr(psycopg_any, "is_psycopg3", False)
    [refusal] = refusals()
    assert refusal.startswith("eventbus.E003 The event bus requires psycopg 3")
    assert 'python -m pip install "psycopg[binary]"' in refusal


def test_an_alias_that_names_no_database(settings):
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "nowhere"}
    [refusal] = refusals()
    assert refusal == (
        "eventbus.E001 EVENTBUS['DATABASE_ALIAS'] is invalid: DATABASES has no 'nowhere'. "
        "Use one of: default, bus."
    )
