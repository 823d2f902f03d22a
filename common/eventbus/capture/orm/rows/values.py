"""What the database makes of the values that it is given, as far as Python can tell."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

from django.db import models

from eventbus.capture.fields import Column
from eventbus.capture.kinds import is_converted_by_django
from eventbus.database.alias import bus_connection

KNOWN = (
    models.IntegerField,
    models.BooleanField,
    models.CharField,
    models.TextField,
    models.UUIDField,
    models.DateTimeField,
    models.DateField,
)
"""Fields whose stored values Python can tell, where no subclass converts them otherwise."""


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""The database has to be asked."""


def is_expression(value: Any) -> bool:
    """Whether the database computes the value."""
    return hasattr(value, "resolve_expression")


def stored_form(column: Column, value: Any) -> Any:
    """The value as the column will hold it, or :data:`UNKNOWN`."""
    if value is None:
        return None
    if is_expression(value):
        return UNKNOWN
    if isinstance(column, models.ForeignKey):
        target = column.target_field
        held = getattr(value, target.attname) if isinstance(value, models.Model) else value
        return stored_form(target, held)
    if isinstance(column, models.DecimalField) and not hasattr(column, "from_db_value"):
        return _rounded(column.get_db_prep_save(value, bus_connection()), column.decimal_places)
    if not isinstance(column, KNOWN) or not is_converted_by_django(column):
        return UNKNOWN
    return _settled(column, column.to_python(column.get_prep_value(value)))


def _settled(column: Column, value: Any) -> Any:
    if isinstance(value, datetime):
        return UNKNOWN if value.tzinfo is None else value.astimezone(UTC)
    return value


def _rounded(given: Decimal | str, places: int) -> Any:
    """What the database makes of an amount; Django rounds for SQLite when it reads.

    :param given: as the field hands it to the database.
    """
    rounding = ROUND_HALF_UP if bus_connection().vendor == "postgresql" else ROUND_HALF_EVEN
    try:
        rounded = Decimal(given).quantize(Decimal(1).scaleb(-places), rounding)
    except InvalidOperation:
        return UNKNOWN
    return rounded + 0  # databases do not tell -0.00 from 0.00
