"""Before and after ``migrate``: triggers as the applied migrations have made them.

On PostgreSQL operations create them, and here is done what else can happen: a new version of the
library compiles them differently, the settings that they contain changed, somebody disabled one.

SQLite refuses to alter a table that a trigger of another one names, and loses the triggers of a
table that Django recreates to alter it. So all of them are removed before migrations run, and
created after. What migrations write themselves is not published there.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import post_migrate, pre_migrate

from eventbus.capture.trigger import installing
from eventbus.capture.trigger.definition import Definition
from eventbus.capture.trigger.detecting import last_definitions
from eventbus.capture.trigger.quoting import identifier
from eventbus.capture.trigger.verifying import installed, trigger_problems
from eventbus.database.alias import bus_alias


def watch_migrations() -> None:
    """Do so once in each run: the signals come once for each app."""
    outbox = apps.get_app_config("eventbus_outbox")
    name = "eventbus.capture.trigger"
    pre_migrate.connect(_remove_before_migrate, sender=outbox, dispatch_uid=name)
    post_migrate.connect(_restore, sender=outbox, dispatch_uid=name)


def restore(using: str) -> None:
    """Create what is missing or differs from what the applied migrations have made."""
    if using == bus_alias() and trigger_problems(connections[using]):
        _run(connections[using], _installations(connections[using]))


def _remove_before_migrate(*, using: str, plan: list[Any] | None = None, **_: Any) -> None:
    connection = connections[using]
    if using == bus_alias() and plan and connection.vendor == "sqlite":
        _run(connection, [f"DROP TRIGGER {identifier(name)}" for name in installed(connection)])


def _restore(
    *, using: str, plan: list[Any] | None = None, verbosity: int = 1, **options: Any
) -> None:
    if using != bus_alias():
        return
    connection = connections[using]
    restore(using)
    if plan:
        _run(connection, _recompilations(connection))
    if verbosity:
        write = options["stdout"].write if "stdout" in options else print
        for problem in trigger_problems(connection):
            write(f"{problem.event} ({problem.table}): {problem.text}. {problem.hint}\n")


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _installations(connection: BaseDatabaseWrapper) -> Iterable[str]:
    for definition in _made(connection):
        yield from installing.installation(definition, connection)


def _recompilations(connection: BaseDatabaseWrapper) -> Iterable[str]:
    """PostgreSQL: replace the functions by the same ones, without a lock of the tables.

    A session that has run PL/pgSQL keeps the types of columns as they were then, and refuses to
    run it with others. https://www.postgresql.org/docs/current/plpgsql-implementation.html
    """
    if connection.vendor == "postgresql":
        for definition in _made(connection):
            for part in installing.compiled(definition, connection):
                yield part.statements[0]


def _made(connection: BaseDatabaseWrapper) -> list[Definition]:
    """What the migrations that were applied to a database publish, where the table is there."""
    loader = MigrationLoader(connection)
    made = last_definitions(loader.graph, loader.applied_migrations)
    tables = connection.introspection.table_names()
    return [definition for _, definition in made.values() if definition.table in tables]
