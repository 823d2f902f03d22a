"""Months: on PostgreSQL the entries of each month are a partition of their own.

So a month can be forgotten at once, and without touching a row: rows refuse to be deleted.
"""

from datetime import UTC, datetime

from django.db import connection, transaction

from audit_service.audit.models import AuditEntry

TABLE = AuditEntry._meta.db_table
LOCK = 4_720_117_003
"""Of PostgreSQL's advisory locks, the one of who makes partitions."""

_ready: set[tuple[str, str]] = set()


def make_room(moment: datetime) -> None:
    """See to it that an entry recorded at a moment has a partition. Databases without go on.

    It is attached, and not created in place, because that lets others read and write meanwhile.
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

    :param start: the first moment of the month, in UTC.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {partition_of(start)}")
    else:
        in_month = AuditEntry.objects.filter(recorded_at__gte=start)
        in_month.filter(recorded_at__lt=next_month(start)).delete()


def month_of(moment: datetime) -> datetime:
    """The first moment of the month that a moment is in, in UTC."""
    return datetime(*moment.astimezone(UTC).timetuple()[:2], 1, tzinfo=UTC)


def next_month(start: datetime) -> datetime:
    """The first moment of the month after one."""
    return datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC)


def partition_of(start: datetime) -> str:
    """The table of a month's entries."""
    return f"{TABLE}_{start:%Y_%m}"
