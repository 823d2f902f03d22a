"""Ways in which the owner of the database could tamper with the record."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from audit_service.audit.models import NOTHING, AuditEntry, ChainHead
from audit_service.audit.record.sealing import SEALED, link, seal


@contextmanager
def guard_off() -> Iterator[None]:
    """Disable PostgreSQL's trigger, as the owner of the table can."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_append_only")
        yield
        cursor.execute("ALTER TABLE audit_auditentry ENABLE TRIGGER audit_append_only")


def at(position: int, partition: int = 0) -> AuditEntry:
    return AuditEntry.objects.get(position=position, partition=partition)


def change(entry: AuditEntry, **fields: object) -> None:
    with guard_off():
        AuditEntry.objects.filter(pk=entry.pk).update(**fields)


def remove(entry: AuditEntry) -> None:
    with guard_off():
        AuditEntry.objects.filter(pk=entry.pk).delete()


def shift(partition: int, after: int, by: int) -> None:
    """Renumber the entries after a position."""
    for entry in AuditEntry.objects.filter(partition=partition, position__gt=after):
        change(entry, position=entry.position + by)


def insert_copy(entry: AuditEntry, position: int, **fields: object) -> AuditEntry:
    """Insert another entry at a position."""
    entry.pk = None
    entry._state.adding = True
    entry.position = position
    entry.event_id = "forged"
    for name, value in fields.items():
        setattr(entry, name, value)
    entry.save(force_insert=True)
    return entry


def swap_positions(one: AuditEntry, other: AuditEntry) -> None:
    change(one, position=other.position)
    change(other, position=one.position)


def relink(partition: int) -> None:
    """Recompute all links of a chain and its head."""
    previous = NOTHING
    for entry in AuditEntry.objects.filter(partition=partition).order_by("position"):
        row = [getattr(entry, name) for name in SEALED[:-1]]
        previous = link(previous, seal([*row, bytes(entry.value)]))
        change(entry, link=previous)
    ChainHead.objects.filter(partition=partition).update(link=previous)
