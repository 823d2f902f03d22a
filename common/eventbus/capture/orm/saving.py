"""``save()`` of a published model, from outside the model.

What is wrapped is the step of ``save()`` that writes one table. Everything passes it: each parent
of a model, proxies, ``loaddata``, ``create()`` and its like, and the async methods. A ``post_save``
that a project sends by hand does not.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from django.db import models, router, transaction
from django.db.models.expressions import DatabaseDefault
from django.utils import timezone

from eventbus.capture import registry
from eventbus.capture.fields import Column
from eventbus.capture.orm import rows
from eventbus.capture.orm.changes import RowChange, publish_changes, refuse_apart
from eventbus.capture.orm.counting import continue_sequences, counted
from eventbus.capture.orm.values import UNKNOWN, stored_form
from eventbus.capture.publication import Publication, Stored
from eventbus.capture.suppressing import record, suppression


class NotPublishedYet(RuntimeError):
    """A model that is published with ``connect=False`` was saved, and no receiver published it."""


class Saving:
    """One table of one instance, while it is saved.

    :param before: the row, which is locked; None where there is none yet.
    :param update_fields: as for ``save()``.
    """

    def __init__(
        self,
        publication: Publication,
        instance: models.Model,
        before: Stored | None,
        using: str,
        update_fields: Collection[str] | None,
    ) -> None:
        self.publication = publication
        self.instance = instance
        self.before = before
        self.using = using
        self.update_fields = update_fields
        self.now = timezone.now()
        self.is_key_given = before is None and self._value(publication.key.column) is not None
        self.is_counted = False
        self._published = False

    def prepare(self) -> None:
        """Give the instance the values that the database will hold, and count the change."""
        self._keep_creation_times()
        known = {column.attname: self._settled(column) for column in self._saved()}
        watched = [name for name in self.publication.watched_columns if name in known]
        if self.before is None:
            self._count(True)
            return
        self._refuse_another_key(known)
        if UNKNOWN in [known[name] for name in watched]:
            self._count(None)
        else:
            self._count(any(known[name] != self.before[name] for name in watched))

    def finish(self) -> None:
        """Find out what the database holds now, after the write."""
        after = self._stored()
        if self.before is None:
            if self.is_key_given:
                continue_sequences(self.publication, [after], self.using)
        elif not self.is_counted and self.publication.is_changed(self.before, after):
            setting = counted(self.publication, self.before, self.now)
            if setting:
                self._rows().update(**setting)
            after.update(setting)
        self._take(after)
        self.change = RowChange(self.before, after)

    def publish(self) -> None:
        """Publish the change, unless that has happened already, or there is none."""
        before, after = self.change.before, self.change.row
        if not self._published and (before is None or self.publication.is_changed(before, after)):
            publish_changes(self.publication, [self.change], self.using)
        self._published = True

    @property
    def is_published(self) -> bool:
        return self._published

    def _saved(self) -> list[Column]:
        """The columns of events that this save writes, without those that count."""
        meta = self.publication.model._meta
        own = {meta.pk, self.publication.counter, self.publication.touched}
        deferred = self.instance.get_deferred_fields()
        columns: list[Any] = [meta.get_field(name) for name in self.publication.columns]
        return [
            column
            for column in columns
            if column not in own and column.attname not in deferred and self._is_named(column)
        ]

    def _keep_creation_times(self) -> None:
        """The time of creation is that of the row, whatever an instance or a fixture says."""
        for column in self._saved():
            if self.before is not None and getattr(column, "auto_now_add", False):
                setattr(self.instance, column.attname, self.before[column.attname])

    def _is_named(self, column: Column) -> bool:
        named = self.update_fields
        return not named or column.name in named or column.attname in named

    def _settled(self, column: Column) -> Any:
        value = self._value(column)
        form = stored_form(column, value)
        if form is not UNKNOWN and form is not value:
            setattr(self.instance, column.attname, form)
        return form

    def _value(self, column: Column) -> Any:
        return getattr(self.instance, column.attname)

    def _refuse_another_key(self, known: Stored) -> None:
        key = self.publication.key.column.attname
        if self.before is not None and key in known and known[key] != self.before[key]:
            raise ValueError(
                f"{key} is the key of the events of {self.publication.model._meta.label}, "
                "and cannot be changed"
            )

    def _count(self, changed: bool | None) -> None:
        """Set the columns that count changes.

        :param changed: None where only the database knows.
        """
        own = (self.publication.counter, self.publication.touched)
        values = counted(self.publication, self.before, self.now)
        if not changed:
            values = {name: self.before[name] for name in values} if self.before else {}
        for name, value in values.items():
            setattr(self.instance, name, value)
        if self.update_fields and changed:
            self.update_fields = {*self.update_fields, *(column.name for column in own if column)}
        self.is_counted = changed is not None

    def _stored(self) -> Stored:
        meta = self.publication.model._meta
        stored = dict(self.before or {})
        columns: list[Any] = [meta.get_field(name) for name in self.publication.columns]
        saved = [*self._saved(), meta.pk]
        if self.before is None or self.is_counted:
            saved += [c for c in (self.publication.counter, self.publication.touched) if c]
        for column in saved:
            stored[column.attname] = stored_form(column, self._value(column))
        if any(stored.get(column.attname, UNKNOWN) is UNKNOWN for column in columns):
            return self._rows().values(*self.publication.columns).get()
        return stored

    def _take(self, after: Stored) -> None:
        """Let the instance have what the row has, of all that was written."""
        own = [column for column in (self.publication.counter, self.publication.touched) if column]
        for column in [*self._saved(), *own]:
            if not isinstance(column, models.FileField):
                setattr(self.instance, column.attname, after[column.attname])

    def _rows(self) -> "models.QuerySet[Any]":
        key = self._value(self.publication.model._meta.pk)
        return rows.plain(self.publication.model, self.using).filter(pk=key)


_saves: ContextVar[tuple[list[Saving], ...]] = ContextVar("saves", default=())


@contextmanager
def _save() -> Iterator[None]:
    """One ``save()``, at the end of which everything has to be published."""
    waiting: list[Saving] = []
    token = _saves.set((*_saves.get(), waiting))
    try:
        yield
        for saving in waiting:
            if not saving.is_published:
                raise NotPublishedYet(
                    f"{saving.publication} is declared with connect=False, and no receiver of "
                    "post_save called publish_saved()"
                )
    finally:
        _saves.reset(token)


def publish_saved(publication: Publication, instance: models.Model) -> None:
    """Publish that an instance was saved: for receivers of ``post_save`` of the project's own.

    It publishes nothing for a signal that was sent by hand, without a ``save()``.
    """
    for waiting in _saves.get():
        for saving in waiting:
            if saving.publication is publication and saving.instance is instance:
                saving.publish()


def publish_waiting() -> None:
    """Publish what was saved and waits for its receiver, before something else is written."""
    for waiting in _saves.get():
        for saving in waiting:
            saving.publish()


def capture_saves(model: type[models.Model]) -> None:
    """Wrap ``save()`` of a published model, and so of its proxies and children, once."""
    if hasattr(model._save_table, "publishes"):  # type: ignore[attr-defined]
        return  # by its parent
    setattr(model, "save_base", _in_one_transaction(model.save_base))  # noqa: B010
    setattr(model, "_save_table", _publishing(model._save_table))  # type: ignore[attr-defined] # noqa: B010


def _in_one_transaction(save_base: Callable[..., None]) -> Callable[..., None]:
    @wraps(save_base)
    def wrapped(  # noqa: PLR0917  as in Django
        self: models.Model,
        raw: bool = False,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Collection[str] | None = None,
    ) -> None:
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using), _save():
            save_base(self, raw, force_insert, force_update, using, update_fields)

    return wrapped


def _publishing(save_table: Callable[..., bool]) -> Callable[..., bool]:
    @wraps(save_table)
    def wrapped(  # noqa: PLR0917  as in Django
        self: models.Model,
        raw: bool = False,
        cls: type[models.Model] | None = None,
        force_insert: bool = False,
        force_update: bool = False,
        using: str = "",
        update_fields: Collection[str] | None = None,
    ) -> bool:
        publication = registry.captured_by_orm(cls or type(self))
        if publication is None or suppression() is not None:
            if publication is not None:
                record(publication.event, 1)
            return save_table(self, raw, cls, force_insert, force_update, using, update_fields)
        refuse_apart(using)
        publish_waiting()
        before = None
        if not _is_new(self, publication.model, raw, force_insert, force_update):
            before = rows.lock_one(publication, self._get_pk_val(publication.model._meta), using)
            if before is None and not force_update and not update_fields:
                force_insert = True  # an update could meet a row that was not locked
        saving = Saving(publication, self, before, using, update_fields)
        saving.prepare()
        updated = save_table(
            self, raw, cls, force_insert, force_update, using, saving.update_fields
        )
        saving.finish()
        _publish_or_wait(saving, raw)
        return updated

    wrapped.publishes = True  # type: ignore[attr-defined]
    return wrapped


def _publish_or_wait(saving: Saving, raw: bool) -> None:
    if saving.publication.connects or raw or not _saves.get():
        saving.publish()
    else:
        _saves.get()[-1].append(saving)


def _is_new(
    instance: Any, model: type[models.Model], raw: bool, force_insert: bool, force_update: bool
) -> bool:
    """Whether the row is inserted without looking for an old one, as Django decides it."""
    meta: Any = model._meta
    key = instance._get_pk_val(meta)
    if force_insert or key is None or isinstance(key, DatabaseDefault):
        return True
    has_default = all(field.has_default() or field.has_db_default() for field in meta.pk_fields)
    return not raw and not force_update and instance._state.adding and has_default
