"""Triggers see what the database deletes by itself, through ``ON DELETE CASCADE``."""

import pytest
from django.db import connection

from common.tests.capture.conftest import clear, told
from common.tests.capture.triggered.models import Item, Line

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.only_on("postgresql"),
]

FOREIGN_KEY = """
SELECT conname FROM pg_constraint
WHERE conrelid = %s::regclass AND confrelid = 'triggered_item'::regclass
"""


def let_the_database_cascade() -> None:
    """Replace Django's foreign key from lines to items."""
    table = connection.ops.quote_name(Line._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(FOREIGN_KEY, [table])
        [(name,)] = cursor.fetchall()
        cursor.execute(
            f'ALTER TABLE {table} DROP CONSTRAINT "{name}", '
            "ADD FOREIGN KEY (item_id) REFERENCES triggered_item (id) ON DELETE CASCADE"
        )


def test_rows_that_the_database_deletes_are_published() -> None:
    item = Item.objects.create(sku="A", name="Kettle")
    Line.objects.bulk_create([Line(item=item), Line(item=item)])
    let_the_database_cascade()
    clear()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM triggered_item")
    assert [entry[0] for entry in told("item")] == ["deleted"]
    assert [entry[0] for entry in told("line")] == ["deleted", "deleted"]
