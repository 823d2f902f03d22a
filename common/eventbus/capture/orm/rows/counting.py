"""A model's own columns that count its changes and take the time of the last one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Case, F, Value, When

from eventbus.capture.orm.rows.changes import RowChange
from eventbus.capture.orm.rows.reading import of_keys
from eventbus.capture.publication import Publication, Stored
from eventbus.outbox.sequences import last_sequences, remember_sequences

MANY = 500
"""Rows of one CASE: the database looks through it once for each row."""


def counting(publication: Publication, now: datetime) -> dict[str, Any]:
    """What an ``update()`` of rows that all change has to set besides."""
    values: dict[str, Any] = {}
    if publication.counter is not None:
        values[publication.counter.attname] = F(publication.counter.attname) + 1
    if publication.touched is not None:
        values[publication.touched.attname] = now
    return values


def counted(publication: Publication, before: Stored | None, now: datetime) -> dict[str, Any]:
    """The values that these columns have after the change of one row, or in a new one."""
    values: dict[str, Any] = {}
    if publication.counter is not None:
        name = publication.counter.attname
        values[name] = 1 if before is None else before[name] + 1
    if publication.touched is not None:
        values[publication.touched.attname] = now
    return values


def count_changes(
    publication: Publication, changes: Sequence[RowChange], using: str, now: datetime
) -> list[RowChange]:
    """Count the changes of rows that were written without that, with one statement.

    :param changes: of rows that were there before.
    :returns: the changes, with what is in the columns now.
    """
    setting = counting(publication, now)
    if not setting or not changes:
        return list(changes)
    pk = publication.model._meta.pk.attname
    keys = [change.row[pk] for change in changes]
    of_keys(publication.model, keys, using).update(**setting)
    return [
        RowChange(change.before, {**change.row, **counted(publication, change.before, now)})
        for change in changes
    ]


def continue_sequences(publication: Publication, created: Iterable[Stored], using: str) -> None:
    """Let new rows of keys that were used before continue where those ended.

    Call it after the insert: by now, whoever deleted an earlier row of the same key has committed.

    :param created: rows whose keys the database did not generate; they are changed.
    """
    by_subject = {publication.subject(row): row for row in created}
    if publication.counter is None or not by_subject:
        return
    known = last_sequences(publication.event, list(by_subject))
    reused = [by_subject[subject] for subject in known]
    for subject, row in by_subject.items():
        if subject in known:
            row[publication.counter.attname] = known[subject] + 1
    write_counters(publication, reused, using)


def remember_counters(publication: Publication, gone: Iterable[Stored]) -> None:
    """Let rows that go without an event continue, if they ever return, where they were."""
    if publication.counter is not None:
        name = publication.counter.attname
        remember_sequences(
            {(publication.event, publication.subject(row)): row[name] for row in gone}
        )


def write_counters(publication: Publication, rows: Sequence[Stored], using: str) -> None:
    """Write the counters of rows into the table, as they are in memory."""
    if publication.counter is None:
        return
    pk, counter = publication.model._meta.pk.attname, publication.counter
    for start in range(0, len(rows), MANY):
        some = rows[start : start + MANY]
        reached = Case(
            *(When(pk=row[pk], then=Value(row[counter.attname])) for row in some),
            output_field=models.BigIntegerField(),
        )
        of_keys(publication.model, [row[pk] for row in some], using).update(
            **{counter.attname: reached}
        )
