"""What a trigger publishes: values that a migration freezes, and that people review."""

from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db import models

from eventbus.capture.fields import PublishedField
from eventbus.capture.kinds import CONTENT_TYPE
from eventbus.capture.publication import Publication, Verb
from eventbus.events.contract import contract_of
from eventbus.outbox.published import published

PREFIX = "zz_eventbus_"
"""Triggers fire in the order of their names: those of the project, which may change the row that is
to be written, come first."""

MOST_NAME_BYTES = 63
"""Of an identifier: PostgreSQL cuts off the rest (``NAMEDATALEN``)."""

PUBLISHED_VERBS: tuple[Verb, ...] = ("created", "updated", "deleted")
KEY_KINDS = ("integer", "text", "uuid")


class _Frozen:
    """Written into migrations with the arguments that are not at their defaults."""

    def arguments(self: Any) -> dict[str, Any]:
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """For Django's migration writer."""
        name = type(self).__qualname__
        return (f"{type(self).__module__}.{name}", [], self.arguments())


def name_of(event: str, role: str) -> str:
    """What a trigger is called in the database, and on PostgreSQL its function."""
    name = f"{PREFIX}{event}_{role}"
    if len(name.encode()) <= MOST_NAME_BYTES:
        return name
    return f"{PREFIX}{sha256(event.encode()).hexdigest()[:16]}_{role}"


@dataclass(frozen=True)
class OtherColumn(_Frozen):
    """Where a value over a foreign key is.

    :param table: of the other model.
    :param key: its column that the foreign key holds.
    :param column: its column with the value.
    """

    table: str
    key: str
    column: str


@dataclass(frozen=True)
class Value(_Frozen):
    """One field of the event.

    :param name: in the event.
    :param column: of the published table.
    :param kind: how it is written, the name of a :class:`~eventbus.capture.kinds.Kind`.
    :param nullable: whether it can be null.
    :param watched: whether its change is an event, and its old value part of ``previous``.
    :param places: of a decimal; SQLite does not keep them.
    :param beyond: where the value is, if the column is a foreign key that leads to it.
    """

    name: str
    column: str
    kind: str
    nullable: bool = False
    watched: bool = True
    places: int | None = None
    beyond: OtherColumn | None = None


@dataclass(frozen=True)
class Definition(_Frozen):
    """Everything that a trigger is compiled from, besides the settings.

    ``source`` and ``dataschema`` of its events come from ``EVENTBUS``, as for all others: they may
    differ between the databases that one migration is applied to.

    :param event: the aggregate, such as ``stock``.
    :param model: label of the published model.
    :param table: its table.
    :param identity: the column of its primary key.
    :param topic: the Kafka topic.
    :param key: the name of the value that tells one subject from another.
    :param values: the fields of the event.
    :param counter: the model's own column that counts the changes; empty where the outbox's table
        of sequences counts them.
    :param touched: the column that takes the time of each change; empty where there is none.
    :param versions: the major version of each contract that is not 1, as pairs of verb and number.
    """

    event: str
    model: str
    table: str
    identity: str
    topic: str
    key: str
    values: tuple[Value, ...]
    counter: str = ""
    touched: str = ""
    versions: tuple[tuple[str, int], ...] = ()

    @property
    def subject(self) -> Value:
        """The value of the key."""
        return next(value for value in self.values if value.name == self.key)

    @property
    def watched(self) -> list[Value]:
        """The values whose change is an event."""
        return [value for value in self.values if value.watched]

    @property
    def others(self) -> list[tuple[str, Value, OtherColumn]]:
        """The values that are in other tables, each with the role of the trigger there."""
        found: dict[OtherColumn, Value] = {}
        for value in self.values:
            if value.beyond is not None and value.beyond.column:
                found.setdefault(value.beyond, value)
        return [
            (f"beyond_{number}", value, beyond)
            for number, (beyond, value) in enumerate(found.items(), start=1)
        ]

    def event_type(self, verb: Verb) -> str:
        """Such as ``stock.created``."""
        return f"{self.event}.{verb}"

    def version(self, verb: Verb) -> int:
        """The major version of a contract."""
        return dict(self.versions).get(verb, 1)


class Compiled(NamedTuple):
    """One trigger of a definition, in the language of a database.

    :param name: of the trigger, and on PostgreSQL of its function.
    :param text: as the catalogue of the database has it.
    :param statements: create it.
    :param table: that fires it; empty for a function that triggers call.
    """

    name: str
    text: str
    statements: tuple[str, ...]
    table: str


def definition_of(publication: Publication) -> Definition:
    """What the triggers of a publication have to be compiled from.

    :raises ImproperlyConfigured: when a trigger cannot publish it; the text says why.
    """
    versions = {verb: _version(publication, verb) for verb in PUBLISHED_VERBS}
    options: Any = publication.model._meta
    counter, touched = (_column(found) for found in (publication.counter, publication.touched))
    if publication.key.kind.name not in KEY_KINDS:
        raise ImproperlyConfigured(
            f"{publication}: a trigger needs a key that is a number, a text or a UUID, and "
            f"{publication.key.name} is {publication.key.kind.name}. Use capture='orm'"
        )
    return Definition(
        event=publication.event,
        model=options.label,
        table=options.db_table,
        identity=options.pk.column,
        topic=publication.topic,
        key=_name_of_key(publication),
        values=tuple(_value(publication, field) for field in publication.fields),
        counter=counter,
        touched=touched,
        versions=tuple((verb, number) for verb, number in versions.items() if number != 1),
    )


def _version(publication: Publication, verb: Verb) -> int:
    """The major version of a contract; 1 while its class is not written."""
    published()
    contract = contract_of(f"{publication.event}.{verb}")
    return contract.major_version if contract else 1


def _name_of_key(publication: Publication) -> str:
    return next(
        field.name
        for field in publication.fields
        if field.column is publication.key.column and field.beyond is None
    )


def _value(publication: Publication, field: PublishedField) -> Value:
    if field.write is not None:
        raise ImproperlyConfigured(
            f"{publication}: the database cannot call write= of {field.name!r}. Leave it out, or "
            "use capture='orm'"
        )
    holder = field.beyond or field.column
    return Value(
        name=field.name,
        column=_column(field.column),
        kind=field.kind.name,
        nullable=field.nullable,
        watched=field in publication.watched,
        places=_places(holder),
        beyond=_beyond(field),
    )


def _column(field: "models.Field[Any, Any] | None") -> str:
    """The name of a field's column; empty for no field."""
    return field.column or "" if field is not None else ""


def _places(column: "models.Field[Any, Any]") -> int | None:
    if isinstance(column, models.ForeignKey):
        return _places(column.target_field)
    return getattr(column, "decimal_places", None)


def _beyond(field: PublishedField) -> OtherColumn | None:
    if not isinstance(field.column, models.ForeignKey):
        return None
    target: Any = field.column.target_field
    if field.beyond is not None:
        return OtherColumn(target.model._meta.db_table, target.column, _column(field.beyond))
    if field.kind is CONTENT_TYPE:
        return OtherColumn(target.model._meta.db_table, target.column, "")
    return None
