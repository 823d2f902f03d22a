"""A field for times of events, including those of older rows."""

from typing import Any

from django.db import models

ON_POSTGRESQL = (
    "CASE WHEN {0} >= TIMESTAMPTZ '0001-01-01 00:00:00+00'"
    " AND {0} < TIMESTAMPTZ '10000-01-01 00:00:00+00' THEN {0} END"
)
# A comparison as text, because SQLite's functions accept 30 February and hour 24.
ON_SQLITE = (
    "CASE WHEN substr({0}, 1, 4) >= '0001' AND substr({0}, 12, 2) < '24'"
    " AND date(julianday(substr({0}, 1, 10))) = substr({0}, 1, 10)"
    " AND time(substr({0}, 1, 19)) = substr({0}, 12, 8)"
    " AND (substr({0}, 20) IN ('', '+00:00')"
    " OR substr({0}, 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]'"
    " OR substr({0}, 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]+00:00')"
    " THEN {0} END"
)


class EventTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """A time that is read as None if it is outside the range of Python's calendar.

    Such times are not accepted any more (:mod:`eventbus.events.times`), but PostgreSQL has stored
    some, entries are sealed with them, and psycopg fails on the whole result. The row is not
    changed; :mod:`audit_service.audit.record.sealed` reads the stored value.
    """

    def deconstruct(self) -> Any:
        """Appear as Django's own field in migrations."""
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, options

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Select an expression instead of the column. Conditions and ordering use the column."""
        readable = ON_POSTGRESQL if compiler.connection.vendor == "postgresql" else ON_SQLITE
        return readable.format(sql), (*params,) * readable.count("{0}")
