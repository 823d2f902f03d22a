"""Monthly partitions: on PostgreSQL, the entries of each month are in a partition of their own.

So a month can be deleted at once, without deleting rows, which a trigger rejects.
"""

from datetime import UTC, datetime

from django.db import connection, transaction

from audit_service.audit.models import AuditEntry

TABLE = AuditEntry._meta.db_table
LOCK = 4_720_117_003
"""Key of the PostgreSQL advisory lock that serializes the creation of partitions."""

_ready: set[tuple[str, str]] = set()


def make_room(moment: datetime) -> None:
    """Ensure that the partition for entries recorded at a moment exists. Only PostgreSQL has any.

    It is created and then attached, because that does not block readers and writers.
    """
    if connection.vendor != "postgresql":
        return
    start = month_of(moment)
    name = partition_of(start)
    known = (str(connection.settings_dict["NAME"]), name)
    if known in _ready:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone() == (None,):
            span = f"FROM ('{start.isoformat()}') TO ('{next_month(start).isoformat()}')"
            cursor.execute(
                f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS);"
                f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES {span}"
            )
    transaction.on_commit(lambda: _ready.add(known))


def forget(start: datetime) -> None:
    """Delete the entries that were recorded in a month.

    :param start: the start of the month, in UTC.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {partition_of(start)}")
    else:
        in_month = AuditEntry.objects.filter(recorded_at__gte=start)
        in_month.filter(recorded_at__lt=next_month(start)).delete()


def month_of(moment: datetime) -> datetime:
    """Return the start of the month that contains a moment, in UTC."""
    return datetime(*moment.astimezone(UTC).timetuple()[:2], 1, tzinfo=UTC)


def next_month(start: datetime) -> datetime:
    """Return the start of the following month."""
    return datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC)


def partition_of(start: datetime) -> str:
    """Return the name of the table with the entries of a month."""
    return f"{TABLE}_{start:%Y_%m}"
