"""Triggers come and go with migrations, and what is missing of them is found."""

from dataclasses import replace
from io import StringIO
from typing import Any, cast

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.commands import makemigrations as djangos
from django.db import DatabaseError, connection, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter

from common.tests.capture.conftest import told
from common.tests.capture.triggered import events
from common.tests.capture.triggered.models import Item, Line, Shelf
from eventbus.capture import registry
from eventbus.capture.trigger import restoring
from eventbus.capture.trigger.definition import definition_of
from eventbus.capture.trigger.detecting import TriggerAutodetector
from eventbus.capture.trigger.operations import PublishByTrigger, StopPublishingByTrigger
from eventbus.capture.trigger.verifying import installed
from eventbus.outbox.models import OutboxEvent

postgresql = pytest.mark.only_on("postgresql")
sqlite = pytest.mark.only_on("sqlite")


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def detected() -> dict[str, list[migrations.Migration]]:
    """What ``makemigrations`` would write."""
    loader = MigrationLoader(None)
    detector = TriggerAutodetector(
        loader.project_state(),
        ProjectState.from_apps(apps),
        NonInteractiveMigrationQuestioner(specified_apps=set()),
    )
    return detector.changes(loader.graph)


def executed(migration: Any) -> migrations.Migration:
    """The migration as its file reads."""
    space: dict[str, Any] = {}
    exec(MigrationWriter(migration, include_header=False).as_string(), space)
    made: migrations.Migration = space["Migration"](migration.name, migration.app_label)
    return made


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Declare other fields than the migrations have."""
    monkeypatch.setattr(registry, "_publications", dict(registry._publications))

    def declare(publication: Any, **changes: Any) -> Any:
        registry._publications[publication.model] = replace(publication, **changes)

    return declare


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tables without line breaks."""
    monkeypatch.setenv("COLUMNS", "400")


def verified() -> str:
    output = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("verify_publishing", stdout=output)
    assert stopped.value.code == 1
    return " ".join(output.getvalue().split())


@pytest.mark.django_db(databases=["default", "bus"])
def test_nothing_to_do() -> None:
    assert detected() == {}
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())
    output = StringIO()
    call_command("verify_publishing", stdout=output)
    assert "published by triggers, as declared" in output.getvalue()
    assert not [m for m in run_checks(databases=["default"]) if "eventbus_capture.W" in str(m.id)]


def test_a_declaration_that_changed(declared: Any) -> None:
    declared(events.Lines, topic="other.events")
    [migration] = detected()["triggered"]
    stop, publish = executed(migration).operations
    assert isinstance(stop, StopPublishingByTrigger)
    assert isinstance(publish, PublishByTrigger)
    assert stop.definition == definition_of(events.Lines)
    assert publish.definition == replace(stop.definition, topic="other.events")
    assert migration.name == "0003_stop_publishing_line_publish_line"
    assert sorted(migration.dependencies) == [
        ("eventbus_capture", "0001_initial"),
        ("eventbus_outbox", "0001_initial"),
        ("triggered", "0002_triggers"),
    ]


def test_a_declaration_that_is_gone(declared: Any) -> None:
    registry._publications.pop(Line, None)
    [migration] = detected()["triggered"]
    [stop] = executed(migration).operations
    assert isinstance(stop, StopPublishingByTrigger)
    assert stop.reversible


@pytest.mark.django_db(transaction=True)
def test_migrating_there_and_back() -> None:
    call_command("migrate", "triggered", "0001", verbosity=0)
    Item.objects.create(sku="A", name="x")
    assert told() == []
    assert "missing" in verified()
    call_command("migrate", "triggered", verbosity=0)
    Item.objects.update(name="y")
    assert [entry[0] for entry in told()] == ["updated"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (
            lambda name: (
                f"DROP TRIGGER {name} ON triggered_item"
                if connection.vendor == "postgresql"
                else f"DROP TRIGGER {name}"
            ),
            "missing",
        ),
        pytest.param(
            lambda name: f"ALTER TABLE triggered_item DISABLE TRIGGER {name}",
            "disabled",
            marks=postgresql,
        ),
        pytest.param(
            lambda name: (
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger "
                "LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
            ),
            "does not publish what is declared",
            marks=postgresql,
        ),
    ],
)
def test_what_is_wrong_is_found_and_healed(harm: Any, found: str) -> None:
    run(harm("zz_eventbus_item_updated"))
    text = verified()
    assert found in text
    assert "item" in text
    [warning] = [m for m in run_checks(databases=["default"]) if "eventbus_capture.W" in str(m.id)]
    assert warning.id == "eventbus_capture.W021"
    assert found in warning.msg
    call_command("migrate", verbosity=0)
    Item.objects.create(sku="A", name="x")
    Item.objects.update(name="y")
    assert [entry[0] for entry in told()] == ["created", "updated"]
    call_command("verify_publishing", stdout=StringIO())


@pytest.mark.django_db
def test_a_column_that_is_gone_is_said() -> None:
    if connection.vendor == "sqlite":
        return  # SQLite refuses to drop it
    run("ALTER TABLE triggered_item DROP COLUMN amount CASCADE")
    assert "no column amount: every write" in verified()
    output = StringIO()
    restoring._restore(using="default", stdout=output)
    assert "no column amount" in output.getvalue()


@pytest.mark.django_db
def test_a_declaration_without_a_migration_is_found(declared: Any) -> None:
    declared(events.Lines, topic="other.events")
    text = verified()
    assert "does not publish what is declared" in text
    assert "makemigrations triggered" in text


@pytest.mark.django_db(transaction=True)
@sqlite
@pytest.mark.parametrize("model", [Item, Shelf, OutboxEvent])
def test_tables_that_django_makes_anew_keep_the_triggers(model: Any) -> None:
    """Its own, and those that its triggers read and write."""
    migration = migrations.Migration("0003_anew", "triggered")
    restoring._remove_before_migrate(using="default", plan=[(migration, False)])
    with connection.schema_editor() as editor:
        cast("Any", editor)._remake_table(model)
    restoring._restore(using="default")
    call_command("verify_publishing", stdout=StringIO())
    Item.objects.create(sku="A", name="x")
    assert [entry[0] for entry in told()] == ["created"]


@pytest.mark.django_db(transaction=True)
@sqlite
def test_a_migration_that_fails_leaves_the_triggers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        assert installed(connection) == {}
        raise DatabaseError("no space left")

    call_command("migrate", "triggered", "0001", verbosity=0)
    call_command("migrate", "triggered", verbosity=0)
    monkeypatch.setattr(StopPublishingByTrigger, "database_forwards", fail)
    monkeypatch.setattr(PublishByTrigger, "database_backwards", fail)
    with pytest.raises(DatabaseError, match="no space"):
        call_command("migrate", "triggered", "0001", verbosity=0)
    call_command("verify_publishing", stdout=StringIO())


def test_the_commands_are_found() -> None:
    assert djangos.Command.autodetector is not TriggerAutodetector
    from django.core.management import load_command_class

    for name in ("makemigrations", "migrate"):
        command: Any = load_command_class("eventbus.capture", name)
        assert command.autodetector is TriggerAutodetector
