"""The fields of an event, as they are declared and as the model resolves them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models

from eventbus.capture.kinds import (
    AS_THEY_ARE,
    CONTENT_TYPE,
    PYTHON_TYPES,
    Kind,
    UnknownKind,
    is_converted_by_django,
    kind_of,
)

if TYPE_CHECKING:
    Column: TypeAlias = models.Field[Any, Any]
else:
    Column = models.Field  # which takes no parameters at run time


@dataclass(frozen=True)
class DeclaredField:
    """What :func:`field` returns."""

    path: str
    name: str
    unchanging: bool
    write: Callable[[Any], Any] | None
    type: type | None


def field(
    path: str,
    *,
    name: str = "",
    unchanging: bool = False,
    write: Callable[[Any], Any] | None = None,
    type: type | None = None,
) -> DeclaredField:
    """A field of an event whose name or value is not just that of the model.

    :param path: a field of the model, or one over a foreign key, such as ``category.slug``.
    :param name: what it is called in the event; left out, the path with ``_`` for each dot.
    :param unchanging: vouches that the value over a foreign key never changes, and has the
        library refuse changes of it. Without that, such a field is refused: the event of a product
        would become untrue whenever its category changes.
    :param write: makes the event's value of the field's value in Python, for custom fields. Not
        with ``capture="trigger"``, where the database writes the event.
    :param type: what ``write`` returns, one of the types that JSON Schema can name.
    """
    return DeclaredField(path, name or path.replace(".", "_"), unchanging, write, type)


@dataclass(frozen=True)
class PublishedField:
    """A field of the event, and where its value is.

    :param name: in the event.
    :param column: the column of the published model that holds the value, or the key that leads
        to it.
    :param beyond: the column behind that key, such as ``slug`` of a category.
    :param kind: how its values are written.
    :param nullable: whether it can be None.
    :param write: replaces what ``kind`` says of the value.
    """

    name: str
    column: Column
    beyond: Column | None
    kind: Kind
    nullable: bool
    write: Callable[[Any], Any] | None = None

    @property
    def annotation(self) -> str:
        """Its type in a contracts module, as Python source."""
        return f"{self.kind.annotation} | None" if self.nullable else self.kind.annotation

    @property
    def type(self) -> Any:
        """Its type in the contract."""
        return self.kind.type | None if self.nullable else self.kind.type

    @cached_property
    def unconverted(self) -> Callable[..., Any] | None:
        """The type of the stored values that events hold as they are, if there is one."""
        column = self.beyond or self.column
        if self.write is not None or not is_converted_by_django(column):
            return None
        return AS_THEY_ARE.get(self.kind)

    def written(self, value: Any) -> Any:
        """The value in the event.

        :param value: as the field has it in Python; over a foreign key, that of ``beyond``.
        """
        if value is None:
            return None
        if type(value) is self.unconverted:
            return value
        if self.write is not None:
            return self.write(value)
        if self.kind is CONTENT_TYPE:
            return _content_type_name(value)
        return self.kind.written((self.beyond or self.column).get_prep_value(value))


def resolve(model: type[models.Model], declared: "str | DeclaredField") -> PublishedField:
    """A declared field, found in the model.

    :raises ImproperlyConfigured: when it is not there, or cannot be published; the text says why.
    """
    asked = field(declared) if isinstance(declared, str) else declared
    first, _, rest = asked.path.partition(".")
    column = _column(model, first)
    beyond = _beyond(model, column, asked, rest) if rest else None
    try:
        kind = PYTHON_TYPES[asked.type] if asked.type else kind_of(beyond or column)
    except (UnknownKind, KeyError) as error:
        raise ImproperlyConfigured(
            f"{model._meta.label}.{asked.path} cannot be published: {error}. Say how its values "
            f"are written: field({asked.path!r}, write=..., type=str)"
        ) from error
    nullable = column.null or bool(beyond and beyond.null)
    return PublishedField(asked.name, column, beyond, kind, nullable, asked.write)


def _column(model: type[models.Model], name: str) -> Column:
    try:
        found = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        names = ", ".join(column.name for column in model._meta.concrete_fields)
        raise ImproperlyConfigured(
            f"{model._meta.label} has no field {name!r} to publish; it has {names}"
        ) from None
    if not isinstance(found, models.Field) or found.many_to_many or found.column is None:
        raise ImproperlyConfigured(
            f"{model._meta.label}.{name} is no column that can be published. Publish a "
            f'many-to-many relation by through("{model._meta.label}.{name}"), and of a generic '
            "relation the fields of its content type and its object id"
        )
    if found.model._meta.concrete_model is not model._meta.concrete_model:
        raise ImproperlyConfigured(
            f"{model._meta.label}.{name} is in the table of {found.model._meta.label}: publish "
            "that model as well"
        )
    return found


def _beyond(model: type[models.Model], column: Column, asked: DeclaredField, rest: str) -> Column:
    path = f"{model._meta.label}.{asked.path}"
    if not isinstance(column, models.ForeignKey) or "." in rest:
        raise ImproperlyConfigured(f"{path} cannot be published: it is not one foreign key away")
    if not asked.unchanging:
        raise ImproperlyConfigured(
            f"{path} cannot be published: it changes with the other row, of which no event of "
            f"{model._meta.label} tells. Publish the key and the other model, or, if the value "
            f"never changes, declare it: field({asked.path!r}, unchanging=True)"
        )
    return _column(column.target_field.model, rest)


def _content_type_name(key: int) -> str:
    from django.contrib.contenttypes.models import ContentType  # an app that need not be installed

    found = ContentType.objects.get_for_id(key)
    return f"{found.app_label}.{found.model}"
