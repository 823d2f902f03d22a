"""System checks of publications by triggers."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from eventbus.capture.trigger.definition import Definition, definition_of
from eventbus.capture.trigger.verifying import NO_TABLE, trigger_problems, trigger_publications
from eventbus.checks import with_settings
from eventbus.database.alias import bus_alias, bus_connection


@register()
@with_settings
def triggers_can_be_made(**_: Any) -> list[CheckMessage]:
    """What the database would have to publish is something that it can."""
    found: list[CheckMessage] = []
    for publication in trigger_publications():
        try:
            problem = _unknown_to_sqlite(definition_of(publication))
        except ImproperlyConfigured as error:
            problem = str(error)
        except ImportError:  # of a module in PUBLISHES: a check of the outbox says so
            continue
        if problem:
            found.append(Error(problem, id="eventbus_capture.E021"))
    return found


def _unknown_to_sqlite(definition: Definition) -> str:
    arrays = [value.name for value in definition.values if value.kind.startswith("array")]
    if not arrays or bus_connection().vendor != "sqlite":
        return ""
    return (
        f"{definition.model} as {definition.event}: SQLite has no arrays, such as {arrays[0]!r}. "
        "Use PostgreSQL, or leave the field out"
    )


@register(Tags.database)
@with_settings
def triggers_are_there(**options: Any) -> list[CheckMessage]:
    """Run by ``check --database`` and by ``migrate``, for the bus's database."""
    if bus_alias() not in (options["databases"] or ()):
        return []
    try:
        problems = trigger_problems(bus_connection())
    except (DatabaseError, ImportError):  # away, or not importable: other checks say so
        return []
    return [
        Warning(
            f"{problem.event} ({problem.table}): {problem.text}.",
            hint=f"{problem.hint}.",
            id="eventbus_capture.W021",
        )
        for problem in problems
        if problem.text != NO_TABLE  # the first migrate checks before it creates the table
    ]
