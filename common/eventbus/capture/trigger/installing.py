"""Creating and removing triggers, by the vendor of the database."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.capture.trigger.definition import Compiled, Definition
from eventbus.capture.trigger.postgres import triggers as postgres
from eventbus.capture.trigger.sqlite import triggers as sqlite


def compiled(definition: Definition, connection: BaseDatabaseWrapper) -> list[Compiled]:
    """What a definition is in a database."""
    if connection.vendor == "postgresql":
        return postgres.compiled(definition, _search_path(connection))
    return sqlite.compiled(definition)


def installation(definition: Definition, connection: BaseDatabaseWrapper) -> list[str]:
    """The statements that create the triggers, in place of all that the event has."""
    parts = compiled(definition, connection)
    created = [statement for part in parts for statement in part.statements]
    return [*removal(definition, connection), *created]


def removal(definition: Definition, connection: BaseDatabaseWrapper) -> list[str]:
    """The statements that remove the triggers of a definition, if they are there."""
    if connection.vendor == "postgresql":
        return postgres.drops(definition)
    return sqlite.drops(definition)


def _search_path(connection: Any) -> str:
    """Where tables are found now; temporary ones last, which anybody may create."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        return f"{cursor.fetchone()[0]}, pg_temp"
