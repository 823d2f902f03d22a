"""``makemigrations`` of declarations: what they ask for beside what the migrations have made."""

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.migrations import Migration
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph

from eventbus.capture.publication import Publication
from eventbus.capture.trigger.definition import Definition, definition_of
from eventbus.capture.trigger.operations import (
    PublishByTrigger,
    StopPublishingByTrigger,
    TriggerOperation,
)
from eventbus.capture.trigger.verifying import trigger_publications

Changes = dict[str, list[Any]]
"""By app: its new migrations."""


class TriggerAutodetector(MigrationAutodetector):
    """Also writes the operations of triggers, each in the app that declares the publication.

    They are migrations of their own, after all others of the same run: a column that was renamed
    has its new name by then, and no migration of a model waits for one of these.
    """

    def _detect_changes(
        self, convert_apps: Any = None, graph: MigrationGraph | None = None
    ) -> Changes:
        changes: Changes = super()._detect_changes(convert_apps, graph)  # type: ignore[misc]
        if graph is None:
            return changes
        newest = {label: migrations[-1].name for label, migrations in changes.items()}
        planned = list(_planned(last_definitions(graph)))
        for app_label, operations, needed in planned:
            others = sorted(needed - {app_label})
            dependencies = [_last_migration(label, newest, graph) for label in others]
            _add(changes, app_label, operations, [found for found in dependencies if found])
        return changes


def last_definitions(
    graph: MigrationGraph, applied: Any = None
) -> dict[str, tuple[str, Definition]]:
    """What migrations publish by triggers in the end: by event, the app and the definition.

    :param applied: keys of migrations to look at; left out, all of them.
    """
    found: dict[str, tuple[str, Definition]] = {}
    for key in _in_order(graph):
        if applied is not None and key not in applied:
            continue
        migration: Any = graph.nodes[key]
        for operation in migration.operations:
            if isinstance(operation, PublishByTrigger):
                found[operation.definition.event] = (key[0], operation.definition)
            elif isinstance(operation, StopPublishingByTrigger):
                found.pop(operation.definition.event, None)
    return found


def _in_order(graph: MigrationGraph) -> list[tuple[str, str]]:
    """The keys of all migrations, each after those that it depends on."""
    keys: dict[tuple[str, str], None] = {}
    for leaf in graph.leaf_nodes():
        keys.update(dict.fromkeys(graph.forwards_plan(leaf)))
    return list(keys)


Planned = tuple[str, list[TriggerOperation], set[str]]
"""The app to write a migration in, its operations, and the apps that it depends on."""


def _planned(last: dict[str, tuple[str, Definition]]) -> Iterator[Planned]:
    declared = {found.event: found for found in trigger_publications()}
    for event, (app_label, definition) in sorted(last.items()):
        if event not in declared:
            yield app_label, [StopPublishingByTrigger.of(definition)], set()
    for event, publication in sorted(declared.items()):
        definition = definition_of(publication)
        app_label, made = last.get(event, (publication.app, None))
        if made == definition:
            continue
        operations: list[TriggerOperation] = [PublishByTrigger.of(definition)]
        if made:
            operations.insert(0, StopPublishingByTrigger.of(made))
        yield app_label, operations, _needed(publication)


def _needed(publication: Publication) -> set[str]:
    """The apps whose tables the triggers read and write."""
    found = {"eventbus_capture", "eventbus_outbox", publication.model._meta.app_label}
    for field in publication.fields:
        if isinstance(field.column, models.ForeignKey):
            found.add(field.column.target_field.model._meta.app_label)
    return found


def _last_migration(
    app_label: str, newest: dict[str, str], graph: MigrationGraph
) -> tuple[str, str] | None:
    """The last migration of an app, perhaps of this run; None for one without migrations."""
    if app_label in newest:
        return (app_label, newest[app_label])
    leaves = graph.leaf_nodes(app_label)
    return leaves[0] if leaves else None


def _add(
    changes: Changes, app_label: str, operations: list[Any], dependencies: list[tuple[str, str]]
) -> None:
    own = changes.setdefault(app_label, [])
    # One migration for all publications of an app.
    if own and own[-1].operations and isinstance(own[-1].operations[0], TriggerOperation):
        own[-1].operations = [*own[-1].operations, *operations]
        own[-1].dependencies = sorted({*own[-1].dependencies, *dependencies})
        return
    migration: Any = Migration(f"publishing_{len(own) + 1}", app_label)
    migration.operations = operations
    migration.dependencies = [*([(app_label, own[-1].name)] if own else []), *dependencies]
    own.append(migration)
