"""Kinds of values: how each type of column is written in events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from django.db import models
from msgspec import Meta


@dataclass(frozen=True)
class Kind:
    """A kind of values, from the column to the contract.

    :param name: what the triggers know it by.
    :param annotation: its type in a contracts module, as Python source.
    :param type: the same type.
    :param imports: the lines that the annotation needs at the top of that module.
    :param written: makes the contract's value of the one that the field hands to the database.
    """

    name: str
    annotation: str
    type: Any
    imports: tuple[str, ...] = ()
    written: Callable[[Any], Any] = lambda value: value


MSGSPEC_META = "from msgspec import Meta"
ANNOTATED = "from typing import Annotated"

INTEGER = Kind("integer", "int", int, written=int)
NATURAL = Kind(
    "integer",
    "Annotated[int, Meta(ge=0)]",
    Annotated[int, Meta(ge=0)],
    (ANNOTATED, MSGSPEC_META),
    int,
)
TEXT = Kind("text", "str", str, written=str)
ADDRESS = Kind("address", "str", str, written=str)
BOOLEAN = Kind("boolean", "bool", bool, written=bool)
DECIMAL = Kind("decimal", "Decimal", Decimal, ("from decimal import Decimal",), Decimal)
FLOAT = Kind("float", "float", float, written=float)
DATE = Kind("date", "date", date, ("from datetime import date",))
MOMENT = Kind(
    "moment",
    "Annotated[datetime, Meta(tz=True)]",
    Annotated[datetime, Meta(tz=True)],
    ("from datetime import datetime", ANNOTATED, MSGSPEC_META),
)
TIME = Kind("time", "time", time, ("from datetime import time",))
DURATION = Kind("duration", "timedelta", timedelta, ("from datetime import timedelta",))
IDENTIFIER = Kind("uuid", "UUID", UUID, ("from uuid import UUID",), lambda value: UUID(str(value)))
JSON = Kind("json", "Any", Any, ("from typing import Any",))
BINARY = Kind("binary", "bytes", bytes, written=bytes)

PYTHON_TYPES: Mapping[type, Kind] = {
    int: INTEGER,
    str: TEXT,
    bool: BOOLEAN,
    Decimal: DECIMAL,
    float: FLOAT,
    date: DATE,
    datetime: MOMENT,
    time: TIME,
    timedelta: DURATION,
    UUID: IDENTIFIER,
    bytes: BINARY,
}
"""For ``field(..., write=..., type=...)``."""

AS_THEY_ARE: Mapping[Kind, type] = {
    INTEGER: int,
    NATURAL: int,
    TEXT: str,
    BOOLEAN: bool,
    DECIMAL: Decimal,
    FLOAT: float,
    DATE: date,
    MOMENT: datetime,
    IDENTIFIER: UUID,
}
"""The values in Python, of Django's own fields, that events hold without a conversion."""

KINDS: Mapping[type["models.Field[Any, Any]"], Kind] = {
    models.PositiveBigIntegerField: NATURAL,
    models.PositiveIntegerField: NATURAL,
    models.PositiveSmallIntegerField: NATURAL,
    models.IntegerField: INTEGER,
    models.BooleanField: BOOLEAN,
    models.CharField: TEXT,
    models.TextField: TEXT,
    models.FileField: TEXT,
    models.GenericIPAddressField: ADDRESS,
    models.DecimalField: DECIMAL,
    models.FloatField: FLOAT,
    models.DateTimeField: MOMENT,
    models.DateField: DATE,
    models.TimeField: TIME,
    models.DurationField: DURATION,
    models.UUIDField: IDENTIFIER,
    models.JSONField: JSON,
    models.BinaryField: BINARY,
}
"""By class of the field, the narrower one first; what derives from one is of its kind."""


CONTENT_TYPE = Kind("content type", "str", str)
"""``app_label.model``: the number of a content type differs from database to database."""


CONVERSIONS = ("get_prep_value", "get_db_prep_value", "get_db_prep_save", "pre_save")


@cache
def is_converted_by_django(column: "models.Field[Any, Any]") -> bool:
    """Whether no class of a project's own has a say in what the database is given for a value."""
    if isinstance(column, models.ForeignKey):
        return is_converted_by_django(column.target_field)
    kind = type(column)
    modules = [getattr(kind, name).__module__ for name in CONVERSIONS]
    return not hasattr(kind, "from_db_value") and all(
        module.startswith("django.db.models.") for module in modules
    )


class UnknownKind(TypeError):
    """Nobody said how the values of a field are written in events."""


def kind_of(column: "models.Field[Any, Any]") -> Kind:
    """How the values of a column are written.

    A foreign key is written as the key that it holds; one to ``ContentType`` as its natural name.

    :raises UnknownKind: for a field that derives from none of Django's, or has several columns.
    """
    if isinstance(column, models.ForeignKey):
        if column.target_field.model._meta.label == "contenttypes.ContentType":
            return CONTENT_TYPE
        return kind_of(column.target_field)
    if hasattr(column, "base_field"):
        return _array(kind_of(column.base_field))
    for base in type(column).__mro__:
        if base in KINDS:
            return KINDS[base]
    raise UnknownKind(f"{type(column).__name__} is not a kind of field that events can hold")


def _array(item: Kind) -> Kind:
    return Kind(
        f"array of {item.name}",
        f"list[{item.annotation}]",
        list[item.type],  # type: ignore[name-defined]
        item.imports,
        lambda values: [item.written(value) for value in values],
    )
