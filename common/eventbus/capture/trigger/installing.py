"""Creating and removing triggers, by the vendor of the database."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from eventbus.capture.trigger import postgres
from eventbus.capture.trigger.compiled import Compiled
from eventbus.capture.trigger.definition import Definition


def compiled(definition: Definition, connection: BaseDatabaseWrapper) -> list[Compiled]:
    """What a definition is in a database."""
    return postgres.compiled(definition, _search_path(connection))


def install(definition: Definition, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create the triggers of a definition in place of all that its event has.

    Where the table is missing, nothing is created: it was removed after its triggers, and this is
    the reverse.
    """
    remove(definition.event, schema_editor)
    connection = schema_editor.connection
    if not schema_editor.collect_sql and definition.table not in _tables(connection):
        return
    for part in compiled(definition, connection):
        for statement in part.statements:
            schema_editor.execute(statement, params=None)


def remove(event: str, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Remove the triggers of an event, if there are any."""
    for statement in postgres.drops(event):
        schema_editor.execute(statement, params=None)


def _tables(connection: BaseDatabaseWrapper) -> list[str]:
    return connection.introspection.table_names()


def _search_path(connection: Any) -> str:
    """Where tables are found now; temporary ones last, which anybody may create."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        return f"{cursor.fetchone()[0]}, pg_temp"
