"""``bulk_create()`` that ignores rows that exist, or updates them.

Which rows were inserted only the database can tell, with ``RETURNING``; to look before would miss
those that others insert meanwhile. So the rows are inserted first, ignoring those that exist, and
what exists is locked, read, updated and read again after that.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from django.db import NotSupportedError, connections, models
from django.db.models import Q, sql
from django.utils import timezone

from eventbus.capture.fields import Column
from eventbus.capture.orm import guarding
from eventbus.capture.orm.creating import bulk_create as create
from eventbus.capture.orm.creating import prepare
from eventbus.capture.orm.rows import reading
from eventbus.capture.orm.rows.changes import RowChange, publish_changes
from eventbus.capture.orm.rows.counting import continue_sequences, count_changes
from eventbus.capture.orm.rows.values import UNKNOWN, stored_form
from eventbus.capture.orm.rows.waiting import one_write
from eventbus.capture.orm.updating import refuse_what_nobody_sets
from eventbus.capture.publication import Publication

MANY = 500
"""Alternatives in one condition."""

Insert = Callable[..., list[Any]]
UniqueValues = tuple[Any, ...]


def bulk_create(
    publication: Publication,
    queryset: "models.QuerySet[Any]",
    instances: list[Any],
    insert: Insert,
    **ways: Any,
) -> list[Any]:
    """Insert instances as Django does, and publish what was inserted and what was updated.

    :param ways: the options of ``bulk_create()`` that say what to do with rows that exist.
    """
    with one_write(queryset.db):
        if ways["update_conflicts"]:
            Upsert(publication, queryset, insert, ways).run(instances)
        else:
            _insert_new(publication, queryset, instances, insert)
    return instances


class Upsert:
    """One ``bulk_create(update_conflicts=True)``."""

    def __init__(
        self,
        publication: Publication,
        queryset: "models.QuerySet[Any]",
        insert: Insert,
        ways: dict[str, Any],
    ) -> None:
        meta: Any = queryset.model._meta
        self.publication = publication
        self.queryset = queryset
        self.using = queryset.db
        self._insert = insert
        self._ways = ways
        self._unique = _named(meta, ways["unique_fields"])
        updated = _named(meta, ways["update_fields"])
        guarding.refuse_update(queryset.model, updated)
        refuse_what_nobody_sets([publication], updated)

    def run(self, instances: list[Any]) -> None:
        """Insert what is new, and update the rest."""
        wanted = {self._values(instance): instance for instance in instances}
        inserted = _insert_new(self.publication, self.queryset, instances, self._insert)
        found = self._find(inserted)
        for values, key in found.items():
            wanted[values].pk = key
        rest = [one for one in instances if self._values(one) not in found]
        if not rest:
            return
        before = self._lock(rest)
        existing = self._find(before)
        gone = [one for one in rest if self._values(one) not in existing]
        create(self.publication, gone, self.using, self._insert)
        self._insert([one for one in rest if self._values(one) in existing], **self._ways)
        changes = [
            RowChange(before[key], row)
            for key, row in reading.read(self.publication, before, self.using).items()
            if self.publication.is_changed(before[key], row)
        ]
        changes = count_changes(self.publication, changes, self.using, timezone.now())
        publish_changes(self.publication, changes, self.using)

    def _values(self, instance: Any) -> UniqueValues:
        """What tells an instance from all others."""
        values = tuple(stored_form(c, getattr(instance, c.attname)) for c in self._unique)
        if UNKNOWN in values:
            names = ", ".join(column.name for column in self._unique)
            raise NotSupportedError(
                f"bulk_create(update_conflicts=True) of {self.publication.model._meta.label}, "
                f"which is published, needs plain values of {names}: use update_or_create()"
            )
        return values

    def _find(self, keys: Iterable[Any]) -> dict[UniqueValues, Any]:
        """The primary keys of rows by their unique values."""
        chosen = reading.of_keys(self.publication.model, keys, self.using)
        names = [column.attname for column in self._unique]
        return {tuple(values): key for key, *values in chosen.values_list("pk", *names)}

    def _lock(self, instances: Sequence[Any]) -> reading.Rows:
        """The rows that instances conflict with."""
        found: reading.Rows = {}
        names = [column.attname for column in self._unique]
        for start in range(0, len(instances), MANY):
            condition = Q()
            for instance in instances[start : start + MANY]:
                condition |= Q(**dict(zip(names, self._values(instance), strict=True)))
            chosen = reading.plain(self.publication.model, self.using).filter(condition)
            found.update(reading.lock(self.publication, chosen, self.using))
        return found


def _insert_new(
    publication: Publication,
    queryset: "models.QuerySet[Any]",
    instances: list[Any],
    insert: Insert,
) -> list[Any]:
    """Insert the instances whose rows do not exist, and publish those.

    :returns: their primary keys.
    """
    given = prepare(publication, instances)
    noted: list[Any] = []
    queryset._inserted_keys = noted  # type: ignore[attr-defined]
    try:
        insert(instances, ignore_conflicts=True)
    finally:
        del queryset._inserted_keys  # type: ignore[attr-defined]
    created = list(reading.read(publication, noted, queryset.db).values()) if noted else []
    if given:
        continue_sequences(publication, created, queryset.db)
    changes = [RowChange(None, row) for row in created]
    publish_changes(publication, changes, queryset.db)
    return noted


def inserted_by(queryset: "models.QuerySet[Any]") -> list[Any] | None:
    """Where the keys of the rows go that a queryset inserts; None where nobody asks for them."""
    return getattr(queryset, "_inserted_keys", None)


def insert_and_note(
    queryset: "models.QuerySet[Any]",
    instances: Sequence[Any],
    fields: Sequence[Column],
    options: dict[str, Any],
    noted: list[Any],
) -> list[Any]:
    """Insert as Django's ``QuerySet._insert()`` does, and note the keys of the new rows.

    Django does not ask for them where some of the rows may be ignored.
    """
    pk: Any = queryset.model._meta.pk
    connection = connections[options["using"]]
    query = sql.InsertQuery(queryset.model, on_conflict=options["on_conflict"])
    query.insert_values(fields, list(instances))
    compiler: Any = query.get_compiler(connection=connection)
    compiler.returning_fields = [pk]
    with connection.cursor() as cursor:
        for statement, params in compiler.as_sql():
            cursor.execute(statement, params)
            noted.extend(pk.to_python(key) for (key,) in cursor.fetchall())
    return []


def _named(meta: Any, names: Collection[str] | None) -> list[Column]:
    return [meta.pk if name == "pk" else meta.get_field(name) for name in names or ()]
