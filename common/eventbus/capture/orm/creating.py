"""``bulk_create()`` of published models, with and without conflicts."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from django.db import models
from django.utils import timezone

from eventbus.capture.fields import Column
from eventbus.capture.orm.rows import reading
from eventbus.capture.orm.rows.changes import RowChange, Watch, publish_changes, watching
from eventbus.capture.orm.rows.counting import continue_sequences, counted
from eventbus.capture.orm.rows.values import UNKNOWN, stored_form
from eventbus.capture.orm.rows.waiting import one_write
from eventbus.capture.publication import Publication, Stored

Insert: TypeAlias = Callable[[list[Any]], list[Any]]
"""Inserts instances as the project's own queryset does, publishing nothing."""


def bulk_create(
    publication: Publication, instances: list[Any], using: str, insert: Insert
) -> list[Any]:
    """Insert instances whose rows are new, and publish them."""
    watch = Watch(publication, {})
    with one_write(using), watching(watch):
        given = prepare(publication, instances)
        created = insert(instances)
        new = [instance for instance in created if instance.pk not in watch.created]
        stored = _stored(publication, new, using)
        pairs = list(zip(new, stored, strict=True))
        continue_sequences(publication, [row for one, row in pairs if id(one) in given], using)
        for instance, row in pairs:
            take(publication, instance, row)
        publish_changes(publication, [RowChange(None, row) for row in stored], using)
    return created


def prepare(publication: Publication, instances: Sequence[Any]) -> set[int]:
    """Give new instances the values that the database will hold, and count them.

    :returns: the ``id()`` of those whose keys the database does not generate.
    """
    first = counted(publication, None, timezone.now())
    columns = _columns(publication)
    for instance in instances:
        for column in columns:
            form = stored_form(column, getattr(instance, column.attname))
            if form is not UNKNOWN:
                setattr(instance, column.attname, form)
        for name, value in first.items():
            setattr(instance, name, value)
    key = publication.key.column.attname
    return {id(instance) for instance in instances if getattr(instance, key) is not None}


def take(publication: Publication, instance: Any, row: Stored) -> None:
    """Let an instance have what its row has."""
    for column in _columns(publication):
        if not isinstance(column, models.FileField):
            setattr(instance, column.attname, row[column.attname])
    if publication.counter is not None:
        setattr(instance, publication.counter.attname, row[publication.counter.attname])


def _columns(publication: Publication) -> list[Column]:
    """Those of events, without those that count and the primary key."""
    meta: Any = publication.model._meta
    own = {meta.pk, publication.counter, publication.touched}
    return [column for name in publication.columns if (column := meta.get_field(name)) not in own]


def _stored(publication: Publication, instances: Sequence[Any], using: str) -> list[Stored]:
    """The rows that were just inserted; the database is asked where Python cannot tell."""
    columns: list[Any] = [publication.model._meta.get_field(n) for n in publication.columns]
    stored = [
        {c.attname: stored_form(c, getattr(instance, c.attname)) for c in columns}
        for instance in instances
    ]
    pk = publication.model._meta.pk.attname
    unknown = [row[pk] for row in stored if UNKNOWN in row.values()]
    found = reading.read(publication, unknown, using) if unknown else {}
    return [found.get(row[pk], row) for row in stored]
