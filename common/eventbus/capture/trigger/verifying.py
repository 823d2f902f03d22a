"""Comparing the triggers of a database with what the declarations ask for."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.capture import registry
from eventbus.capture.publication import Publication
from eventbus.capture.trigger import installing
from eventbus.capture.trigger.definition import PREFIX, Compiled, Definition, definition_of

NO_TABLE = "the table does not exist"


class TriggerProblem(NamedTuple):
    """What is wrong with the triggers of one event, and what to do about it, in one line each.

    :param event: the aggregate; the name of the trigger where nothing is declared.
    :param table: that changes without right events.
    :param text: what is wrong.
    :param hint: what to do.
    """

    event: str
    table: str
    text: str
    hint: str


class InstalledTrigger(NamedTuple):
    """A trigger as the catalogue of the database has it.

    :param table: that fires it; empty for a function that none does.
    :param text: what was compiled.
    :param is_enabled: whether it fires at all.
    """

    table: str
    text: str
    is_enabled: bool


def trigger_publications() -> list[Publication]:
    """What this project publishes by triggers."""
    return [found for found in registry.publications() if found.capture == "trigger"]


def trigger_problems(connection: BaseDatabaseWrapper) -> list[TriggerProblem]:
    """What is wrong with the triggers of a database, event by event.

    :raises DatabaseError: when the database cannot be asked.
    """
    found = installed(connection)
    tables = set(connection.introspection.table_names())
    problems: list[TriggerProblem] = []
    for publication in trigger_publications():
        try:
            definition = definition_of(publication)
        except ImproperlyConfigured:  # a check of its own says so
            continue
        if definition.table not in tables:
            hint = "Run: python manage.py migrate"
            problems.append(TriggerProblem(definition.event, definition.table, NO_TABLE, hint))
            continue
        parts = installing.compiled(definition, connection)
        problems.extend(_problems(publication, definition, parts, found, connection))
        for part in parts:
            found.pop(part.name, None)
    problems.extend(_left_over(name, trigger) for name, trigger in found.items())
    return problems


def _problems(
    publication: Publication,
    definition: Definition,
    parts: list[Compiled],
    found: dict[str, InstalledTrigger],
    connection: BaseDatabaseWrapper,
) -> Iterator[TriggerProblem]:
    make = f"Run: python manage.py makemigrations {publication.app} && python manage.py migrate"

    def problem(text: str, hint: str = make) -> TriggerProblem:
        return TriggerProblem(definition.event, definition.table, text, hint)

    missing = [part.name for part in parts if not _is_there(part, found)]
    if missing:
        yield problem(f"{', '.join(missing)} missing: changes are not published")
    there = [part for part in parts if part.name not in missing]
    stale = [part.name for part in there if found[part.name].text.strip() != part.text.strip()]
    if gone := _columns_that_are_gone(definition, connection):
        effect = "" if missing or stale else ": every write of the table fails"
        yield problem(f"the table has no column {', '.join(gone)}{effect}")
    if stale:
        yield problem(f"{', '.join(stale)} does not publish what is declared")
    disabled = [part.name for part in there if not found[part.name].is_enabled]
    if disabled:
        enable = f'ALTER TABLE "{definition.table}" ENABLE TRIGGER "{disabled[0]}"'
        hint = f"Run: python manage.py migrate, or in SQL: {enable}"
        yield problem(f"{', '.join(disabled)} disabled: changes are not published", hint)


def _is_there(part: Compiled, found: dict[str, InstalledTrigger]) -> bool:
    trigger = found.get(part.name)
    return trigger is not None and trigger.table == part.table


def _columns_that_are_gone(definition: Definition, connection: Any) -> list[str]:
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, definition.table)
    there = {column.name for column in described}
    own = [definition.identity, definition.counter, definition.touched]
    asked = dict.fromkeys([*own, *(value.column for value in definition.values)])
    return [column for column in asked if column and column not in there]


def _left_over(name: str, trigger: InstalledTrigger) -> TriggerProblem:
    return TriggerProblem(
        name,
        trigger.table,
        "is in the database, and nothing is declared that it would publish",
        "Run: python manage.py makemigrations && python manage.py migrate",
    )


POSTGRESQL = r"""
SELECT p.proname, coalesce(c.relname, ''), p.prosrc, coalesce(t.tgenabled IN ('O', 'A'), true)
FROM pg_proc p
LEFT JOIN pg_trigger t ON t.tgfoid = p.oid
LEFT JOIN pg_class c ON c.oid = t.tgrelid
WHERE p.proname LIKE %s AND pg_function_is_visible(p.oid)
"""
SQLITE = """
SELECT name, tbl_name, sql, true FROM sqlite_master
WHERE type = 'trigger' AND name LIKE %s ESCAPE '\\'
"""


def installed(connection: BaseDatabaseWrapper) -> dict[str, InstalledTrigger]:
    """The library's triggers that a database has, by name."""
    pattern = PREFIX.replace("_", r"\_") + "%"
    with connection.cursor() as cursor:
        cursor.execute(POSTGRESQL if connection.vendor == "postgresql" else SQLITE, [pattern])
        return {
            name: InstalledTrigger(table, text, bool(is_enabled))
            for name, table, text, is_enabled in cursor.fetchall()
        }
