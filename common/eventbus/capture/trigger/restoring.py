"""After ``migrate``: triggers as the applied migrations have made them.

SQLite loses the triggers of a table when Django makes it anew to alter it, a new version of the
library may compile them differently, and the settings that they contain may have changed.
"""

from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import post_migrate

from eventbus.capture.trigger import installing
from eventbus.capture.trigger.detecting import last_definitions
from eventbus.capture.trigger.verifying import trigger_problems
from eventbus.database.alias import bus_alias


def restore_after_migrate() -> None:
    """Do so once after each run: the signal comes once for each app."""
    outbox = apps.get_app_config("eventbus_outbox")
    post_migrate.connect(_restore, sender=outbox, dispatch_uid="eventbus.capture.trigger")


def _restore(*, using: str, verbosity: int = 1, **options: Any) -> None:
    if using != bus_alias():
        return
    connection = connections[using]
    if not trigger_problems(connection):
        return
    loader = MigrationLoader(connection)
    made = last_definitions(loader.graph, loader.applied_migrations)
    tables = connection.introspection.table_names()
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for _, definition in made.values():
            if definition.table in tables:
                for statement in installing.installation(definition, connection):
                    cursor.execute(statement)
    if verbosity:
        write = options["stdout"].write if "stdout" in options else print
        for problem in trigger_problems(connection):
            write(f"{problem.event} ({problem.table}): {problem.text}. {problem.hint}\n")
