"""``bulk_create()`` of published models, with and without conflicts."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from django.db import models, transaction
from django.utils import timezone

from eventbus.capture.fields import Column
from eventbus.capture.orm import rows
from eventbus.capture.orm.changes import RowChange, publish_changes, refuse_apart
from eventbus.capture.orm.counting import continue_sequences, counted
from eventbus.capture.orm.saving import publish_waiting
from eventbus.capture.orm.values import UNKNOWN, stored_form
from eventbus.capture.publication import Publication, Stored

Insert: TypeAlias = Callable[[list[Any]], list[Any]]
"""Inserts instances as the project's own queryset does, publishing nothing."""


def bulk_create(
    publication: Publication, instances: list[Any], using: str, insert: Insert
) -> list[Any]:
    """Insert instances whose rows are new, and publish them."""
    with transaction.atomic(using=using):
        refuse_apart(using)
        publish_waiting()
        given = prepare(publication, instances)
        created = insert(instances)
        stored = _stored(publication, instances, using)
        continue_sequences(publication, [stored[number] for number in given], using)
        for instance, row in zip(instances, stored, strict=True):
            take(publication, instance, row)
        changes = [RowChange(None, row) for row in stored]
        publish_changes(publication, changes, using)
    return created


def prepare(publication: Publication, instances: Sequence[Any]) -> list[int]:
    """Give new instances the values that the database will hold, and count them.

    :returns: the places of those whose keys the database does not generate.
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
    return [
        number for number, instance in enumerate(instances) if getattr(instance, key) is not None
    ]


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
    found = rows.read(publication, unknown, using) if unknown else {}
    return [found.get(row[pk], row) for row in stored]
