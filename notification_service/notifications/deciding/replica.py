"""The service's own replica of the products, which only events change."""

from collections.abc import Iterable, Sequence

from django.db import connection

from common.contracts.product import Product as ProductData
from common.contracts.product import ProductDeleted, ProductSnapshot
from eventbus.events import Event
from notification_service.notifications.models import Product

COLUMNS = ("id", "sequence", "name", "category", "price", "currency", "stock", "is_deleted")
ROWS = 1_000
"""Rows per statement: SQLite allows 32,766 values."""


def take_newer(events: Sequence[Event[ProductData]]) -> list[Event[ProductData]]:
    """Update the replica from these events.

    :param events: in order for each product.
    :returns: the events that were newer than the replica. Events that are replayed, or already
        covered by a snapshot, are not among them.
    """
    stored = Product.objects.filter(id__in={event.subject for event in events})
    known = dict(stored.values_list("id", "sequence"))
    newer = []
    for event in events:
        if _is_news(event, known.get(event.subject, 0)):
            known[event.subject] = event.data.sequence
            newer.append(event)
    newest = {event.subject: event for event in newer}
    _store(newest.values())
    return newer


def _is_news(event: Event[ProductData], known: int) -> bool:
    """A snapshot for this group alone has the sequence of the last change, and may correct it."""
    sequence = event.data.sequence
    return sequence > known or (sequence == known and isinstance(event.data, ProductSnapshot))


def _store(events: Iterable[Event[ProductData]]) -> None:
    """Upsert the products, unless another process has stored a newer state in the meantime."""
    rows = [_row(event) for event in events]
    quoted = ", ".join(f'"{name}"' for name in COLUMNS)
    row = f"({', '.join(['%s'] * len(COLUMNS))})"
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in COLUMNS[1:])
    table = Product._meta.db_table
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            cursor.execute(
                f'INSERT INTO "{table}" ({quoted}) VALUES {", ".join([row] * len(part))} '  # noqa: S608
                f"ON CONFLICT (id) DO UPDATE SET {changes} "
                f'WHERE excluded."sequence" >= "{table}"."sequence"',
                [value for values in part for value in values],
            )


def _row(event: Event[ProductData]) -> tuple[str | int, ...]:
    product = event.data
    return (
        event.subject,
        product.sequence,
        _text(product.name, 500),
        _text(product.category or "", 255),
        str(product.price),
        product.currency,
        product.stock,
        isinstance(product, ProductDeleted),
    )


def _text(text: str, length: int) -> str:
    """Make a text fit its column. PostgreSQL cannot store NUL."""
    return text.replace("\0", "")[:length]
