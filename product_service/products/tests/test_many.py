"""Bulk changes of products: every way publishes all events."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import NotSupportedError, connection, transaction
from django.db.models import Case, F, QuerySet, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Concat, Floor, Random
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from eventbus.outbox.models import OutboxEvent
from product_service.products.api.serializers import ProductSerializer
from product_service.products.models import Category, Product
from product_service.products.tests.story import told

pytestmark = pytest.mark.django_db


def stored() -> dict[int, dict[str, Any]]:
    """The products as the API returns them."""
    rows = ProductSerializer(Product.objects.select_related("category"), many=True).data
    return {row["id"]: json.loads(json.dumps(row)) for row in rows}


def check() -> None:
    assert told() == stored()


@pytest.fixture
def shelf() -> Category:
    return Category.objects.create(name="Kitchen", slug="kitchen")


@pytest.fixture
def products(shelf: Category) -> list[Product]:
    return Product.objects.bulk_create(new(number, category=shelf) for number in range(5))


def new(number: int, **values: object) -> Product:
    fields = {"sku": f"S{number}", "name": f"Pan {number}", "price": "10.005", "stock": number}
    return Product(**{**fields, **values})


def test_bulk_create(products: list[Product], shelf: Category) -> None:
    check()
    assert [product.version for product in products] == [1] * 5
    assert all(product.pk for product in products)


def test_update_with_values(products: list[Product]) -> None:
    assert Product.objects.filter(stock__gt=1).update(stock=4, price=Decimal("7.999")) == 3
    check()
    assert Product.objects.get(sku="S2").price == Decimal("8.00")


def test_update_increments_only_versions_of_changed_rows(products: list[Product]) -> None:
    before = dict(Product.objects.values_list("sku", "updated_at"))
    assert Product.objects.update(stock=3) == 5
    check()
    assert dict(Product.objects.values_list("sku", "version")) == {
        f"S{number}": 1 if number == 3 else 2 for number in range(5)
    }
    assert Product.objects.get(sku="S3").updated_at == before["S3"]
    assert Product.objects.update(stock=3) == 5
    assert Product.objects.get(sku="S0").version == 2


@pytest.mark.parametrize(
    "price",
    [
        F("price") * Decimal("1.07"),
        F("price") * 1.1,
        F("price") / 3,
        F("price") + F("stock"),
        Case(When(stock=2, then=Value(Decimal("1.115"))), default=F("price")),
    ],
)
def test_update_with_expressions(products: list[Product], price: Combinable) -> None:
    Product.objects.update(price=price, name=Concat(F("name"), Value("!")))
    check()
    for product in Product.objects.all():
        assert Product.objects.filter(pk=product.pk, price=product.price).exists()


def test_update_with_annotations_and_relations(products: list[Product], shelf: Category) -> None:
    annotated = Product.objects.annotate(double=F("stock") * 2).filter(category__slug="kitchen")
    annotated.update(stock=F("double"))
    check()
    assert set(Product.objects.values_list("stock", flat=True)) == {0, 2, 4, 6, 8}
    Product.objects.filter(stock__in=[0, 2]).update(category=None)
    Product.objects.filter(category=None, stock=2).update(category=shelf)
    Product.objects.distinct().update(is_active=False)
    check()


def test_update_with_a_subquery_ignores_its_own_writes(
    products: list[Product],
) -> None:
    Product.objects.update(stock=4)
    highest = Product.objects.order_by("-stock").values("stock")[:1]
    assert Product.objects.filter(stock=highest).update(stock=F("stock") + 1) == 5
    check()
    assert set(Product.objects.values_list("stock", flat=True)) == {5}
    assert Product.objects.update(stock=Subquery(highest) + 1) == 5
    check()
    assert set(Product.objects.values_list("stock", flat=True)) == {6}


def test_bulk_update(products: list[Product], shelf: Category) -> None:
    for product in products:
        product.name += " of iron"
        product.price = Decimal(product.stock)
        product.category = shelf if product.stock % 2 else None
    assert Product.objects.bulk_update(products, ["name", "price", "category"], batch_size=2) == 5
    check()
    products[0].stock = 99
    products[0].save()
    check()
    assert products[0].version == 3


def test_deleting_a_queryset(products: list[Product]) -> None:
    assert Product.objects.filter(stock__lt=3).delete() == (3, {"products.Product": 3})
    check()
    assert Product.objects.all().delete() == (2, {"products.Product": 2})
    assert Product.objects.all().delete() == (0, {})
    assert told() == stored() == {}


@pytest.mark.parametrize("whole", [False, True])
def test_deleting_a_category_deletes_its_products(
    products: list[Product], shelf: Category, whole: bool
) -> None:
    Product.objects.filter(stock=0).update(category=None)
    deleted = Category.objects.all().delete() if whole else shelf.delete()
    assert deleted == (5, {"products.Product": 4, "products.Category": 1})
    check()
    assert Product.objects.count() == 1


def test_moving_products_with_a_related_manager(products: list[Product], shelf: Category) -> None:
    other = Category.objects.create(name="Bath", slug="bath")
    other.products.add(*products[:2])
    check()
    other.products.remove(products[0])
    other.products.set(products[1:3])
    other.products.clear()
    check()
    assert shelf.products.update(stock=7) == 2
    check()


def test_get_and_update_or_create(shelf: Category) -> None:
    Product.objects.get_or_create(sku="K", defaults={"name": "Kettle", "price": 1})
    Product.objects.get_or_create(sku="K", defaults={"name": "Kettle", "price": 2})
    Product.objects.update_or_create(sku="K", defaults={"price": 3})
    Product.objects.update_or_create(sku="L", defaults={"name": "Ladle", "price": 3})
    shelf.products.create(sku="M", name="Mug", price=1)
    check()
    assert OutboxEvent.objects.count() == 4


def test_loaddata(products: list[Product], tmp_path: Path) -> None:
    fixture = tmp_path / "products.json"
    call_command("dumpdata", "products", output=str(fixture))
    Product.objects.filter(stock=1).delete()
    Product.objects.filter(stock=2).update(stock=20)
    call_command("loaddata", str(fixture), verbosity=0)
    assert Product.objects.get(sku="S2").version == 3
    assert Product.objects.get(sku="S1").version == 3  # it had been deleted
    check()


@pytest.mark.parametrize("values", [{"version": 7}, {"updated_at": None}, {"id": 7, "stock": 1}])
def test_managed_fields_cannot_be_set(products: list[Product], values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cannot set (version|updated_at|id)"):
        Product.objects.update(**values)


def test_operations_that_cannot_publish_are_rejected(products: list[Product]) -> None:
    both: tuple[dict[str, Any], ...] = ({"ignore_conflicts": True}, {"update_conflicts": True})
    for conflicts in both:
        with pytest.raises(NotSupportedError, match="update_or_create"):
            Product.objects.bulk_create([new(1)], **conflicts)
    refused: Callable[[QuerySet[Product]], object]
    for refused in (lambda q: q.update(stock=1), lambda q: q.delete()):
        with pytest.raises(TypeError, match="limit"):
            refused(Product.objects.all()[:2])
    check()


def test_a_rollback_discards_everything(products: list[Product]) -> None:
    with transaction.atomic():
        Product.objects.update(stock=9)
        Product.objects.filter(sku="S1").delete()
        transaction.set_rollback(True)
    check()
    assert Product.objects.count() == 5


def test_the_number_of_queries_is_constant(shelf: Category) -> None:
    def queries(work: Callable[[], object], number: int) -> int:
        Product.objects.all().delete()
        Product.objects.bulk_create(new(n, category=shelf) for n in range(number))
        with CaptureQueriesContext(
            connection,
        ) as captured:
            work()
        return len(captured)

    def bulk_create() -> None:
        Product.objects.bulk_create(new(n + 1000, category_id=shelf.pk) for n in range(40))

    def create_again() -> None:
        keys = list(Product.objects.values_list("pk", flat=True))
        Product.objects.all().delete()
        Product.objects.bulk_create(
            new(n, pk=key, stock=Value(n) + 1) for n, key in enumerate(keys)
        )

    for work, most in (
        (lambda: Product.objects.update(stock=77), 9),
        (lambda: Product.objects.update(price=F("price") * 2, category=None), 9),
        (lambda: Product.objects.all().delete(), 9),
        (bulk_create, 9),
        (create_again, 21),
    ):
        few, many = queries(work, 2), queries(work, 80)
        assert few == many <= most


def test_the_number_of_queries_is_constant_for_a_cascade(
    shelf: Category, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Product.objects.bulk_create(new(n, category=shelf) for n in range(90))
    with django_assert_max_num_queries(12):
        shelf.delete()
    check()


OPERATION_NAMES = [
    "create",
    "create_again",
    "update",
    "price",
    "stock",
    "bulk_update",
    "delete",
    "save",
    "shelve",
]
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(OPERATION_NAMES),
        st.sets(st.integers(0, 4)),
        st.integers(0, 3),
    ),
    max_size=10,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(OPERATIONS)
def test_any_history_is_published_correctly(operations: list[tuple[str, set[int], int]]) -> None:
    with transaction.atomic():
        shelves = [None, *(Category.objects.create(name=n, slug=n) for n in "abc")]
        keys: dict[str, int] = {}
        for what, numbers, value in operations:
            chosen = Product.objects.filter(sku__in=[f"S{n}" for n in numbers])
            if what == "create":
                known = set(chosen.values_list("sku", flat=True))
                Product.objects.bulk_create(new(n) for n in numbers if f"S{n}" not in known)
            elif what == "create_again":
                known = set(chosen.values_list("sku", flat=True))
                again = [n for n in numbers if f"S{n}" in keys and f"S{n}" not in known]
                Product.objects.bulk_create(new(n, pk=keys[f"S{n}"]) for n in again)
            elif what == "stock":
                chosen.update(stock=Floor(Random() * 3))
            elif what == "update":
                chosen.update(stock=value, is_active=value > 1)
            elif what == "price":
                chosen.update(price=F("price") * Decimal(value) / 2)
            elif what == "bulk_update":
                found = list(chosen)
                for product in found:
                    product.name, product.stock = f"Pan {value}", product.stock + value
                Product.objects.bulk_update(found, ["name", "stock"])
            elif what == "delete":
                chosen.filter(stock=value).delete()
            elif what == "save":
                for product in chosen:
                    product.stock = value
                    product.save()
            else:
                chosen.update(category=shelves[value])
            keys.update(Product.objects.values_list("sku", "pk"))
            check()
        transaction.set_rollback(True)
