"""A sequence outlives its row: a product created again under an old key continues it."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from eventbus.outbox.models import LastSequence, OutboxEvent
from eventbus.outbox.relaying.pruning import outbox_pruner
from product_service.products.models import Category, Product
from product_service.products.tests.test_many import check, new

pytestmark = pytest.mark.django_db

KEY = 17


@pytest.fixture
def kettle() -> Product:
    """A product with version 3, in a category of its own."""
    shelf = Category.objects.create(name="Kitchen", slug="kitchen")
    product = Product.objects.create(pk=KEY, sku="K1", name="Kettle", price=1, category=shelf)
    for stock in (1, 2):
        product.stock = stock
        product.save()
    return product


def raw(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def sequences() -> list[tuple[str, int]]:
    rows = OutboxEvent.objects.filter(aggregateid=str(KEY)).order_by("position")
    events = (json.loads(row.payload) for row in rows)
    return [(event["type"].partition(".")[2], event["sequence"]) for event in events]


def forget_the_outbox() -> None:
    """Prune the outbox as after its retention period."""
    OutboxEvent.objects.update(published_at=timezone.now() - timedelta(days=400))
    outbox_pruner().prune()
    assert not OutboxEvent.objects.exists()


def category_of(product: Product) -> Category:
    assert product.category is not None
    return product.category


DELETIONS: dict[str, Callable[[Product], object]] = {
    "instance": lambda product: product.delete(),
    "queryset": lambda product: Product.objects.all().delete(),
    "category": lambda product: category_of(product).delete(),
    "categories": lambda product: Category.objects.all().delete(),
    "related manager": lambda product: category_of(product).products.all().delete(),
}


def load(tmp_path: Path) -> None:
    fixture = tmp_path / "products.json"
    fixture.write_text(serializers.serialize("json", [again(created_at=NOW, updated_at=NOW)]))
    call_command("loaddata", str(fixture), verbosity=0)


def again(**values: object) -> Product:
    return new(9, pk=KEY, **values)


NOW = timezone.now()
CREATIONS: dict[str, Callable[..., object]] = {
    "save": lambda _: again().save(),
    "create": lambda _: Product.objects.create(pk=KEY, sku="K2", name="Kettle", price=1),
    "bulk_create": lambda _: Product.objects.bulk_create([new(1), again(), new(2, pk=99)]),
    "update_or_create": lambda _: Product.objects.update_or_create(
        pk=KEY, defaults={"sku": "K2", "name": "Kettle", "price": 1}
    ),
    "get_or_create": lambda _: Product.objects.get_or_create(
        pk=KEY, defaults={"sku": "K2", "name": "Kettle", "price": 1}
    ),
    "loaddata": load,
}


@pytest.mark.parametrize("delete", DELETIONS.values(), ids=DELETIONS)
@pytest.mark.parametrize("create", CREATIONS.values(), ids=CREATIONS)
def test_a_reused_key_continues_its_sequence(
    kettle: Product,
    tmp_path: Path,
    delete: Callable[[Product], object],
    create: Callable[[Path], object],
) -> None:
    delete(kettle)
    create(tmp_path)
    assert sequences()[-2:] == [("deleted", 4), ("created", 5)]
    check()
    Product.objects.update(stock=50)
    check()
    assert Product.objects.get(pk=KEY).version == 6


def test_the_sequence_is_kept_longer_than_the_events(kettle: Product) -> None:
    kettle.delete()
    forget_the_outbox()
    again().save()
    Product.objects.get(pk=KEY).delete()
    again().save()
    assert sequences() == [("created", 5), ("deleted", 6), ("created", 7)]


def test_a_rolled_back_deletion_is_not_remembered(kettle: Product) -> None:
    with transaction.atomic():
        kettle.delete()
        transaction.set_rollback(True)
    assert not LastSequence.objects.exists()


def test_new_keys_of_the_database_start_at_one(kettle: Product) -> None:
    Product.objects.all().delete()
    assert new(1).pk is None
    products = [Product.objects.create(sku="K2", name="Pot", price=1)]
    products += Product.objects.bulk_create([new(1)])
    assert [product.version for product in products] == [1, 1]
    check()


def test_a_product_deleted_by_raw_sql_continues_while_its_events_are_kept(
    kettle: Product,
) -> None:
    raw("DELETE FROM products_product")
    again().save()
    assert sequences()[-1] == ("created", 4)


def test_a_duplicate_key_is_rejected_and_publishes_nothing(kettle: Product) -> None:
    before = sequences()
    create: Callable[[], object]
    for create in (lambda: again().save(force_insert=True), lambda: CREATIONS["bulk_create"](None)):
        with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
            create()
    assert sequences() == before


BLOCKED = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("create", ["save", "create", "bulk_create"])
def test_a_concurrent_deletion_is_not_missed(kettle: Product, create: str) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has one writer at a time
    is_deleted = threading.Event()

    def delete() -> None:
        try:
            with transaction.atomic():
                Product.objects.filter(pk=KEY).delete()
                is_deleted.set()
                wait_until_blocked()
        finally:
            connection.close()

    deleting = threading.Thread(target=delete)
    deleting.start()
    assert is_deleted.wait(20)
    CREATIONS[create](None)
    deleting.join()
    assert sequences()[-2:] == [("deleted", 4), ("created", 5)]
    assert Product.objects.get(pk=KEY).version == 5


def wait_until_blocked() -> None:
    """Wait until another session waits for this one. Polls, because the database has no event."""
    for _ in range(2_000):
        with connection.cursor() as cursor:
            cursor.execute(BLOCKED)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("no session is waiting for the deletion")
