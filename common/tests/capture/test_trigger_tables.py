"""Triggers while their table is altered, emptied or has its rows replaced."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from common.tests.capture.conftest import clear, told
from common.tests.capture.triggered.models import Item
from eventbus.capture.trigger import restoring

pytestmark = pytest.mark.django_db

postgresql = pytest.mark.only_on("postgresql")
sqlite = pytest.mark.only_on("sqlite")


def item(sku: str = "A", **fields: Any) -> Item:
    return Item.objects.create(sku=sku, name="Kettle", **fields)


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def settle_constraints() -> None:
    """Check foreign keys now: a table is not altered while that waits."""
    run("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def test_a_column_that_is_gone_is_an_error() -> None:
    item()
    if connection.vendor == "postgresql":
        settle_constraints()
        run("ALTER TABLE triggered_item DROP COLUMN amount CASCADE")
        with pytest.raises(DatabaseError, match="amount"), transaction.atomic():
            run("UPDATE triggered_item SET name = 'x'")
        assert len(told()) == 1
    else:
        with pytest.raises(DatabaseError, match="amount"):
            run("ALTER TABLE triggered_item DROP COLUMN amount")


@postgresql
def test_columns_change_their_type_under_the_triggers() -> None:
    item()
    settle_constraints()
    run("ALTER TABLE triggered_item ALTER COLUMN name TYPE varchar(300)")
    run("ALTER TABLE triggered_item ALTER COLUMN amount TYPE bigint")
    restoring._restore(using="default", plan=["a migration"])
    Item.objects.update(amount=2**40)
    assert [entry[2] for entry in told()] == [1, 2]


@sqlite
def test_replaced_rows_are_deleted() -> None:
    kettle = item("A")
    run(
        "INSERT OR REPLACE INTO triggered_item "
        "(sku, name, price, amount, secret, version, changed_at) "
        "SELECT sku, 'New', price, amount, secret, version, changed_at FROM triggered_item"
    )
    assert [entry[:3] for entry in told()] == [
        ("created", str(kettle.pk), 1),
        ("deleted", str(kettle.pk), 2),
        ("created", str(Item.objects.get().pk), 1),
    ]


@postgresql
def test_a_truncated_table() -> None:
    item("A")
    item("B")
    clear()
    settle_constraints()
    run("TRUNCATE triggered_item CASCADE")
    assert [entry[0] for entry in told()] == ["deleted", "deleted"]
    item("C")
    assert told()[-1][:1] == ("created",)
