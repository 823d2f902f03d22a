"""How the triggers know who and what brings a change about, and Django what they refused.

On PostgreSQL each statement that may write a published table is preceded, in the same round trip,
by one that says so for the rest of the transaction. On SQLite the triggers ask
(sqlite/functions.py).
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from eventbus.capture import registry
from eventbus.capture.suppressing import suppression
from eventbus.capture.trigger.postgres.values import CAUSE_UNKNOWN, CONTEXT, REFUSED, TOO_LARGE
from eventbus.capture.trigger.sqlite.functions import TriggerSession
from eventbus.database.alias import bus_alias
from eventbus.database.waking import wake_after_commit
from eventbus.events import ContractViolation
from eventbus.events.context import CauseUnknown, current
from eventbus.events.errors import EventTooLarge
from eventbus.outbox.publishing import CHANNEL

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]

RAISED: dict[str, type[Exception]] = {
    CAUSE_UNKNOWN: CauseUnknown,
    TOO_LARGE: EventTooLarge,
    REFUSED: ContractViolation,
}

_WRITES = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:INSERT|UPDATE|DELETE|MERGE|TRUNCATE|WITH)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Whether a statement writes. What Django's ``cursor.copy()`` and blocks of ``DO`` write has the
origin of another program."""


def watch_connections() -> None:
    """Let the connection to the bus's database take part, now and whenever it is opened."""
    connection_created.connect(_on_connection, dispatch_uid="eventbus.capture.trigger")
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            _on_connection(connection=connection)


def _on_connection(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Wrappers come first: ``connection.execute_wrapper()`` removes the last one when it ends.

    The connection may have been opened inside such a block, which would otherwise remove the wrong
    one and leave its own behind for good.
    """
    if connection.vendor == "postgresql":
        if pass_origin not in connection.execute_wrappers:
            connection.execute_wrappers.insert(0, pass_origin)
    elif connection.vendor == "sqlite":
        _register_functions(connection)


def _register_functions(connection: BaseDatabaseWrapper) -> None:
    session = TriggerSession(connection, _settling.get)
    session.register()
    if _tables(tuple(registry.publications())) is not None:
        session.let_replace_delete()

    def explain(execute: Execute, *arguments: Any) -> Any:
        session.start()
        try:
            return execute(*arguments)
        except DatabaseError as error:
            if session.raised is not None:
                raise session.raised from error
            raise

    others = [one for one in connection.execute_wrappers if one.__name__ != explain.__name__]
    connection.execute_wrappers[:] = [explain, *others]


_settling: ContextVar[bool] = ContextVar("settling", default=False)


@contextmanager
def settling() -> Iterator[None]:
    """Let the library write counters inside the block, which triggers else keep as they were."""
    token = _settling.set(True)
    try:
        yield
    finally:
        _settling.reset(token)


def origin_of_changes() -> str:
    """The origin of what is published now, as the functions in the database read it."""
    if _settling.get():
        return '{"settling": true}'
    try:
        context = current()
        members = {
            "correlationid": context.correlation_id,
            "causationid": context.causation_id,
            "actor": context.actor(),
            "traceparent": context.traceparent,
        }
    except CauseUnknown as error:  # an error only if something is published
        members = {"unknown": str(error)}
    if inside := suppression():
        members = {"suppressed": inside.reason, "block": str(inside.block), **members}
    return json.dumps({name: text for name, text in members.items() if text is not None})


def pass_origin(
    execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """An ``execute_wrapper``: pass the origin to the triggers of a published table."""
    connection: Any = context["connection"]
    text = sql if isinstance(sql, str) else sql.as_string(connection.connection)
    if not _may_write_published(text) or connection.alias != bus_alias():
        return execute(sql, params, many, context)
    try:
        if many or connection.features.uses_server_side_binding:
            return _pass_first(execute, sql, params, many, context)
        return _pass_with(execute, text, params, context)
    except DatabaseError as error:
        state = getattr(error.__cause__, "sqlstate", "")
        if state in RAISED:
            raise RAISED[state](_first_line(error)) from error
        raise


def _pass_with(execute: Execute, text: str, params: Any, context: dict[str, Any]) -> Any:
    """In one round trip, which is one transaction where none is open."""
    passing = f"{_passing(context['connection'])}; "
    if params is not None:
        passing = passing.replace("%", "%%")
    result = execute(passing + text, params, False, context)
    context["cursor"].nextset()
    _wake_relay(context["connection"])
    return result


def _pass_first(
    execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    connection = context["connection"]
    with transaction.atomic(using=connection.alias, savepoint=False):
        with connection.connection.cursor() as cursor:
            cursor.execute(_passing(connection))
        _wake_relay(connection)
        return execute(sql, params, many, context)


def _wake_relay(connection: Any) -> None:
    """As for other events; where the project commits by hand, the relay looks by itself."""
    if connection.in_atomic_block or connection.get_autocommit():
        wake_after_commit(connection, CHANNEL)


def _passing(connection: Any) -> str:
    from psycopg.sql import quote  # only where PostgreSQL is used

    return (
        f"SELECT set_config('{CONTEXT}', {quote(origin_of_changes(), connection.connection)}, true)"
    )


def _first_line(error: DatabaseError) -> str:
    return str(error).partition("\n")[0]


def _may_write_published(sql: str) -> bool:
    if not _WRITES.match(sql):
        return False
    tables = _tables(tuple(registry.publications()))
    return tables is not None and bool(tables.search(sql))


@lru_cache(maxsize=4)
def _tables(publications: tuple[Any, ...]) -> "re.Pattern[str] | None":
    """Finds the tables whose writes publish, among them those that a deletion goes on from."""
    found = set()
    for publication in publications:
        if publication.capture == "trigger":
            found.add(publication.model._meta.db_table)
            found.update(_cascading(publication.model))
            over = [field.beyond for field in publication.fields if field.beyond is not None]
            found.update(column.model._meta.db_table for column in over)
    if not found:
        return None
    names = "|".join(re.escape(name.replace('"', '""')) for name in sorted(found))
    return re.compile(rf'(?<![\w"])"?(?:{names})(?!\w)')


def _cascading(model: Any) -> set[str]:
    """The tables from which the database itself deletes rows of a model (Django 6.1)."""
    found: set[str] = set()
    waiting = [model]
    while waiting:
        for field in waiting.pop()._meta.concrete_fields:
            on_delete = getattr(field.remote_field, "on_delete", None)
            is_by_database = getattr(on_delete, "__name__", "").startswith("DB_") or type(
                on_delete
            ).__name__.startswith("Database")
            other = getattr(field.remote_field, "model", None)
            if is_by_database and other and other._meta.db_table not in found:
                found.add(other._meta.db_table)
                waiting.append(other)
    return found
