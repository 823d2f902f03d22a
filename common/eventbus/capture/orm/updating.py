"""``update()`` of published models, and all that is made of it, such as ``bulk_update()``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import timezone

from eventbus.capture import registry
from eventbus.capture.fields import Column
from eventbus.capture.orm import guarding
from eventbus.capture.orm.rows import reading
from eventbus.capture.orm.rows.changes import (
    RowChange,
    Watch,
    publish_changes,
    watching,
)
from eventbus.capture.orm.rows.counting import count_changes, counted, counting
from eventbus.capture.orm.rows.values import UNKNOWN, is_expression, stored_form
from eventbus.capture.orm.rows.waiting import one_write
from eventbus.capture.publication import Publication
from eventbus.capture.suppressing import record, suppression
from eventbus.database.alias import bus_atomic

Values = Mapping[str, Any]
Write: TypeAlias = Callable[["models.QuerySet[Any]", Values], int]
"""Updates the rows of a queryset as the project's own queryset does, publishing nothing."""


def update(
    chosen: "models.QuerySet[Any]", values: Values, write: Write, *, is_djangos: bool
) -> int:
    """Update what a queryset chooses, and publish what changes.

    :param write: updates the rows of the queryset that it gets.
    :param is_djangos: whether it does no more than Django's own ``update()``.
    :raises ValueError: for columns that nobody sets, such as the one that counts changes.
    """
    columns = _columns(chosen.model, values)
    guarding.refuse_update(chosen.model, columns.values())
    publications = _written(columns.values())
    if not publications:
        return write(chosen, values)
    if suppression() is not None:
        with bus_atomic():
            written = write(chosen, values)
            for publication in publications:
                record(publication.event, written)
        return written
    refuse_what_nobody_sets(publications, columns.values())
    if chosen.query.is_sliced or chosen.query.combinator:
        raise TypeError("update() needs a queryset without limit, offset or union")
    chosen._for_write = True  # type: ignore[attr-defined]
    with one_write(chosen.db):
        updates = [Update(publication, chosen, values, columns) for publication in publications]
        if is_djangos and len(updates) == 1 and updates[0].is_known:
            return updates[0].write_known(write)
        return _write_unknown(updates, write)


class Update(Watch):
    """The rows of one published table that are about to be updated."""

    def __init__(
        self,
        publication: Publication,
        chosen: "models.QuerySet[Any]",
        values: Values,
        columns: Mapping[str, Column],
    ) -> None:
        self.chosen = chosen
        self.using = chosen.db
        self.values = values
        self.now = timezone.now()
        self._link = _link(chosen.model, publication.model)
        self._all_columns = {column.attname for column in columns.values()}
        own = {
            name: column
            for name, column in columns.items()
            if column.attname in publication.columns and column.model is publication.model
        }
        forms = {name: stored_form(column, values[name]) for name, column in own.items()}
        self._settled = {**values, **forms}
        self._forms = {own[name].attname: form for name, form in forms.items()}
        super().__init__(
            publication,
            reading.lock(publication, self._own_rows(publication), self.using, _read(publication)),
        )

    @property
    def is_known(self) -> bool:
        """Whether it can be told beforehand what the rows will hold."""
        return UNKNOWN not in self._forms.values() and not any(
            map(is_expression, self.values.values())
        )

    def write_known(self, write: Write) -> int:
        """Write values, and count them with the same statement where that is possible."""
        counts = counting(self.publication, self.now)
        changes = self._known_changes()
        if counts and self._all_columns <= set(self.publication.watched_columns):
            if changes:
                keys = [change.row[self._pk] for change in changes]
                write(self._fresh(keys), {**self._settled, **counts})
        else:
            if self.rows:
                write(self._fresh(self.rows), self._settled)
            changes = count_changes(self.publication, changes, self.using, self.now)
        publish_changes(self.publication, changes, self.using)
        return len(self.rows)

    def publish_written(self) -> None:
        """Find out what the database has made of the values, and publish that."""
        after = reading.read(self.publication, self.rows, self.using)
        changes = count_changes(self.publication, self._changes(after), self.using, self.now)
        publish_changes(self.publication, changes, self.using)

    def restricted(self) -> "models.QuerySet[Any]":
        """The rows by their keys: writing may change what filters find."""
        if not self.chosen.query.annotations:
            return self._fresh(self.rows)
        by_key = {f"{self._link}__in": self._among(self.rows)}  # expressions may name annotations
        return self.chosen.order_by().filter(**by_key)

    def _fresh(self, keys: Iterable[Any]) -> "models.QuerySet[Any]":
        kind = type(self.chosen)
        fresh = kind(model=self.chosen.model, using=self.using)
        return fresh.filter(**{f"{self._link}__in": self._among(keys)})

    def _among(self, keys: Iterable[Any]) -> Any:
        return reading.among_keys(self.publication.model, keys, self.using)

    @property
    def _pk(self) -> str:
        return self.publication.model._meta.pk.attname

    def _own_rows(self, publication: Publication) -> "models.QuerySet[Any]":
        if self._link == "pk":
            return self.chosen
        keys = self.chosen.order_by().values(self._link)
        return reading.plain(publication.model, self.using).filter(pk__in=keys)

    def _changes(self, after: reading.Rows) -> list[RowChange]:
        return [
            RowChange(before, after[key])
            for key, before in self.rows.items()
            if key in after and self.publication.is_changed(before, after[key])
        ]

    def _known_changes(self) -> list[RowChange]:
        watched = self.publication.watched_columns
        forms = [(name, form) for name, form in self._forms.items() if name in watched]
        return [
            RowChange(row, {**row, **self._forms, **counted(self.publication, row, self.now)})
            for row in self.rows.values()
            if any(row[name] != form for name, form in forms)
        ]


def _write_unknown(updates: list[Update], write: Write) -> int:
    first = updates[0]
    if not first.rows:
        return 0
    with watching(*updates):
        written = write(first.restricted(), first.values)
        for one in updates:
            one.publish_written()
    return written


def _read(publication: Publication) -> list[str]:
    """The columns that an update has to read; a time that it sets costs more than the others."""
    touched = publication.touched.attname if publication.touched else None
    return [name for name in publication.columns if name != touched]


def _columns(model: type[models.Model], values: Values) -> dict[str, Column]:
    """The columns that are set, by the names that they were given; Django refuses the others."""
    found: dict[str, Column] = {}
    for name in values:
        try:
            column: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if getattr(column, "column", None):
            found[name] = column
    return found


def _written(columns: Iterable[Column]) -> list[Publication]:
    """What is captured by ``orm`` of the tables that the columns are in."""
    models_written = dict.fromkeys(column.model for column in columns)
    found = map(registry.captured_by_orm, models_written)
    return [one for one in found if one is not None]


def refuse_what_nobody_sets(publications: Iterable[Publication], columns: Iterable[Column]) -> None:
    """Refuse to set what the library sets, or what nobody changes.

    :raises ValueError: when the key, or a column that counts changes, is among the columns.
    """
    for publication in publications:
        fixed = {publication.key.column, publication.counter, publication.touched}
        fixed.add(publication.model._meta.pk)
        if names := sorted(column.attname for column in columns if column in fixed):
            plural = publication.model._meta.verbose_name_plural
            raise ValueError(f"update() of {plural} cannot set {', '.join(names)}")


def _link(model: type[models.Model], table: type[models.Model]) -> str:
    """The way from a model to the primary key of its table, or of that of one of its parents."""
    if model._meta.concrete_model is table:
        return "pk"
    steps: list[str] = []
    current: Any = model._meta.concrete_model
    for parent in model._meta.get_base_chain(table):
        steps.append(current._meta.get_ancestor_link(parent).name)
        current = parent
    return "__".join(steps)
