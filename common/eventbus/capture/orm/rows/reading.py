"""The rows of published models: locked, read, and found by their keys."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, models
from django.db.models.expressions import RawSQL

from eventbus.capture.kinds import is_converted_by_django
from eventbus.capture.publication import Publication, Stored

Rows = dict[Any, Stored]
"""Rows by their primary keys."""


def plain(model: type[models.Model], using: str) -> "models.QuerySet[Any]":
    """A queryset of Django's own, which publishes nothing."""
    return models.QuerySet(model, using=using)


def lock(
    publication: Publication,
    chosen: "models.QuerySet[Any]",
    using: str,
    columns: Sequence[str] = (),
) -> Rows:
    """The rows that a queryset chooses, locked until the transaction ends.

    They are locked in the order of their keys, so that two transactions that each change many do
    not wait for each other.

    :param chosen: rows of the published model; it is not evaluated.
    :param columns: which are read; left out, all that events need.
    """
    if _is_simple(chosen):
        locking = chosen
    else:  # what is joined, grouped or made distinct cannot be locked
        keys = chosen.order_by().values("pk")
        keys.query.select_for_update = False
        locking = plain(publication.model, using).filter(pk__in=keys)
    rows = locking.order_by("pk").select_for_update().values(*(columns or publication.columns))
    return by_key(publication, rows)


def lock_keys(publication: Publication, keys: Iterable[Any], using: str) -> Rows:
    """The rows of these primary keys, locked until the transaction ends."""
    return lock(publication, of_keys(publication.model, keys, using), using)


def lock_one(publication: Publication, key: Any, using: str) -> Stored | None:
    """The row of a primary key, locked until the transaction ends; None where there is none."""
    chosen = plain(publication.model, using).filter(pk=key)
    return next(iter(chosen.select_for_update().values(*publication.columns)), None)


def read(publication: Publication, keys: Iterable[Any], using: str) -> Rows:
    """The rows of these primary keys, as they are now."""
    chosen = of_keys(publication.model, keys, using)
    return by_key(publication, chosen.values(*publication.columns))


def of_keys(model: type[models.Model], keys: Iterable[Any], using: str) -> "models.QuerySet[Any]":
    """A queryset of Django's own of the rows with these primary keys."""
    return plain(model, using).filter(pk__in=among_keys(model, keys, using))


def among_keys(model: type[models.Model], keys: Iterable[Any], using: str) -> RawSQL:
    """For ``pk__in``: many primary keys as one parameter. Placeholders by the thousand are slow."""
    connection = connections[using]
    pk: Any = model._meta.pk
    if connection.vendor == "postgresql" and is_converted_by_django(pk):
        values = list(keys)
    else:
        values = [pk.get_db_prep_value(key, connection) for key in keys]
    if connection.vendor == "postgresql":
        return RawSQL(f"SELECT unnest(%s::{pk.rel_db_type(connection)}[])", [values])  # noqa: S611
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(values, default=str)])


def by_key(publication: Publication, rows: Iterable[Stored]) -> Rows:
    """Rows, by their primary keys."""
    pk = publication.model._meta.pk.attname
    return {row[pk]: row for row in rows}


def _is_simple(chosen: "models.QuerySet[Any]") -> bool:
    query = chosen.query
    tables = sum(map(bool, query.alias_refcount.values()))
    return not (query.distinct or query.group_by or query.annotations or tables > 1)
