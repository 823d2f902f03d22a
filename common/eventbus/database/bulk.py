"""Bulk writes, in the fastest way the database offers."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, models, router
from django.db.models.expressions import RawSQL


def insert(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    using: str | None = None,
) -> None:
    """Insert rows in bulk: COPY on PostgreSQL, ``bulk_create`` elsewhere.

    As with ``bulk_create``, no ``save()`` is called and no signal is sent.

    :param model: the model whose table to write.
    :param fields: names of its fields. Fields left out get their default, evaluated once for all
        rows; a primary key that the database generates is left to the database.
    :param rows: one sequence of values per row, in the order of ``fields``, with the Python types
        of the fields.
    :param using: database alias; by default the one that the routers choose.
    :raises django.db.Error: as for any insert; none of the rows is written then.
    """
    connection = connections[using or router.db_for_write(model)]
    if connection.vendor == "postgresql":
        _copy(connection, model, fields, rows)
    else:
        instances = [model(**dict(zip(fields, row, strict=True))) for row in rows]
        model._default_manager.using(connection.alias).bulk_create(instances)


def among(values: Sequence[int] | Sequence[str], connection: Any) -> RawSQL:
    """For ``__in``: many values as a single parameter, since thousands of placeholders are slow.

    :param values: all of the same type; an empty sequence is treated as integers.
    :param connection: to the database that will run the query, PostgreSQL or SQLite.
    """
    if connection.vendor == "postgresql":
        if values and isinstance(values[0], str):
            return RawSQL("SELECT unnest(%s::text[])", [list(values)])
        return RawSQL("SELECT unnest(%s::bigint[])", [list(values)])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(values))])


def _copy(
    connection: Any, model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    named: list[Any] = [model._meta.get_field(name) for name in fields]
    filled = [f for f in model._meta.concrete_fields if f not in named and not _is_generated(f)]
    blank = model()
    defaults = tuple(f.get_db_prep_save(f.pre_save(blank, add=True), connection) for f in filled)
    converted = [(place, f) for place, f in enumerate(named) if not isinstance(f, PLAIN)]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in [*named, *filled])
    types = [_type(field.db_type(connection)) for field in [*named, *filled]]
    statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN (FORMAT BINARY)"
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement) as copy,
    ):
        copy.set_types(types)
        for row in rows:
            values = [*row, *defaults]
            for place, field in converted:
                values[place] = field.get_db_prep_save(values[place], connection)
            copy.write_row(values)


PLAIN = (
    models.BinaryField,
    models.BooleanField,
    models.CharField,
    models.DateTimeField,
    models.IntegerField,
    models.TextField,
    models.UUIDField,
)
"""Fields whose Python values psycopg writes as is; other fields convert them first."""


def _type(db_type: str) -> str:
    """``varchar(255)`` without the length: the binary format only needs the type name."""
    return re.sub(r"\(.*?\)", "", db_type)


def _is_generated(field: Any) -> bool:
    return isinstance(field, models.AutoField) or field.generated or field.has_db_default()
