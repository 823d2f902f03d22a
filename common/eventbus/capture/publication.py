"""A model whose changes are events: what :func:`eventbus.capture.publish_model` declares."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal, cast

import msgspec
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from eventbus.capture.fields import Column, PublishedField
from eventbus.conf import bus_settings
from eventbus.events import Contract
from eventbus.events.contract import contract_of
from eventbus.outbox.published import published

Capture = Literal["orm", "trigger"]
Verb = Literal["created", "updated", "deleted", "snapshot"]
VERBS: tuple[Verb, ...] = ("created", "updated", "deleted", "snapshot")

Stored = dict[str, Any]
"""A row of the published model: the columns that its events need, by ``attname``."""

Beyond = Mapping[str, Mapping[Any, Any]]
"""By the name of a field over a foreign key: its value for each key."""


@dataclass(frozen=True, eq=False)
class Publication:
    """What is published of a model, and how.

    :param model: the concrete model.
    :param event: the aggregate, such as ``stock``; the event types begin with it.
    :param topic: the Kafka topic.
    :param fields: of the events' data, in this order; the key is among them.
    :param key: the field that tells one subject from another.
    :param counter: the model's own column that counts the changes of a row; None where the
        outbox's table of sequences counts them.
    :param touched: the column that takes the time of each change, if one does.
    :param capture: who notices changes, Django's ORM or the database.
    :param connects: whether the receivers of ``orm`` are connected by the library.
    :param snapshot_version: a higher one has all rows published again after the deploy.
    :param app: label of the app that declares it, whose migrations make its triggers.
    """

    model: type[models.Model]
    event: str
    topic: str
    fields: tuple[PublishedField, ...]
    key: PublishedField
    counter: Column | None
    touched: Column | None
    capture: Capture
    connects: bool
    snapshot_version: int
    app: str

    def __str__(self) -> str:
        return f"{self.model._meta.label} as {self.event}"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What a :data:`Stored` row has, each once, the primary key first."""
        pk = self.model._meta.pk.attname
        own = [self.counter, self.touched]
        further = [field.column for field in self.fields] + [column for column in own if column]
        return tuple(dict.fromkeys([pk, *(column.attname for column in further)]))

    @cached_property
    def watched(self) -> tuple[PublishedField, ...]:
        """The fields whose change is an event, and which ``previous`` can have.

        Not the key and the counter, and not the times that Django sets with each write.
        """
        uncounted = {self.key.column, self.counter, self.touched, self.model._meta.pk}
        return tuple(
            field
            for field in self.fields
            if field.column not in uncounted
            and not getattr(field.column, "auto_now", False)
            and not getattr(field.column, "auto_now_add", False)
        )

    @cached_property
    def watched_columns(self) -> tuple[str, ...]:
        """The columns of :attr:`watched`, each once."""
        return tuple(dict.fromkeys(field.column.attname for field in self.watched))

    @cached_property
    def _watched_values(self) -> Callable[[Stored], Any]:
        return itemgetter(*self.watched_columns) if self.watched_columns else lambda _: ()

    @cached_property
    def _writing(self) -> tuple[tuple[str, str, Any, PublishedField], ...]:
        """What :meth:`data` needs of each field: thousands of rows are written at a time."""
        return tuple(
            (
                field.name,
                field.column.attname,
                field.unconverted if field.beyond is None else None,
                field,
            )
            for field in self.fields
        )

    @cached_property
    def contracts(self) -> Mapping[Verb, type[Contract]]:
        """The contract classes of its event types.

        :raises ImproperlyConfigured: when no module in ``PUBLISHES`` defines one of them.
        """
        published()
        return {verb: self._contract(verb) for verb in VERBS}

    @cached_property
    def previous(self) -> Callable[..., msgspec.Struct]:
        """The class of the old values in an ``updated`` event."""
        fields = msgspec.structs.fields(self.contracts["updated"])
        [previous] = [field.type for field in fields if field.name == "previous"]
        return cast("Callable[..., msgspec.Struct]", previous)

    def _contract(self, verb: Verb) -> type[Contract]:
        contract = contract_of(f"{self.event}.{verb}")
        if contract is None:
            modules = ", ".join(bus_settings().publishes) or "no module"
            raise ImproperlyConfigured(
                f"No contract of {self.event}.{verb} in EVENTBUS['PUBLISHES'] ({modules}). "
                f"Run: python manage.py write_contracts {self.event}"
            )
        return contract

    def subject(self, stored: Stored) -> str:
        """The key of a row, as text."""
        return str(self.key.written(stored[self.key.column.attname]))

    def is_changed(self, before: Stored, after: Stored) -> bool:
        """Whether an event has to report the difference."""
        return bool(self._watched_values(before) != self._watched_values(after))

    def beyond(self, rows: Iterable[Stored], using: str) -> Beyond:
        """The values over foreign keys, with one query for each such field."""
        over = [field for field in self.fields if field.beyond is not None]
        if not over:
            return {}
        rows = list(rows)
        return {field.name: _values_beyond(field, rows, using) for field in over}

    def data(self, stored: Stored, beyond: Beyond) -> dict[str, Any]:
        """The fields of its events, as the contract wants them."""
        return {
            name: value
            if type(value := stored[column]) is unconverted
            else _written(field, stored, beyond)
            for name, column, unconverted, field in self._writing
        }

    def created(self, after: Stored, beyond: Beyond) -> Contract:
        """The event of a new row."""
        return self.contracts["created"](**self.data(after, beyond))

    def updated(self, before: Stored, after: Stored, beyond: Beyond) -> Contract:
        """The event of a row that changed, with the old values of what did."""
        previous = {
            field.name: _written(field, before, beyond)
            for field in self.watched
            if before[field.column.attname] != after[field.column.attname]
        }
        changed = self.contracts["updated"]
        return changed(**self.data(after, beyond), previous=self.previous(**previous))

    def deleted(self, last: Stored, beyond: Beyond) -> Contract:
        """The event of a row that is gone, as it was last."""
        return self.contracts["deleted"](**self.data(last, beyond))

    def snapshot(self, current: Stored, beyond: Beyond) -> Contract:
        """The event of a row as it is, whatever was published before."""
        return self.contracts["snapshot"](**self.data(current, beyond))


def _written(field: PublishedField, stored: Stored, beyond: Beyond) -> Any:
    value = stored[field.column.attname]
    if field.beyond is not None and value is not None:
        value = beyond[field.name][value]
    return field.written(value)


def _values_beyond(field: PublishedField, rows: list[Stored], using: str) -> Mapping[Any, Any]:
    keys = {row[field.column.attname] for row in rows} - {None}
    if not keys or field.beyond is None or not isinstance(field.column, models.ForeignKey):
        return {}
    target = field.column.target_field.attname
    others = field.beyond.model._base_manager.using(using).filter(**{f"{target}__in": keys})
    return dict(others.values_list(target, field.beyond.attname))
