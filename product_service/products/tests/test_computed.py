"""Values computed by the database are published as stored, even if they are volatile."""

import pytest
from django.db.models import Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.fields import CharField
from django.db.models.functions import Cast, Concat, Floor, Random

from eventbus.capture.orm.values import UNKNOWN, stored_form
from product_service.products.models import Category, Product
from product_service.products.tests.test_many import check, new

pytestmark = pytest.mark.django_db

VOLATILE = {
    "price": Random() * 1000,
    "stock": Floor(Random() * 1_000_000),
    "name": Concat(Value("Pan "), Cast(Random(), CharField())),
}


@pytest.fixture
def products() -> list[Product]:
    return Product.objects.bulk_create(new(number) for number in range(20))


def is_settled(product: Product) -> bool:
    """Whether the instance has the values of its row."""
    stored = Product.objects.get(pk=product.pk)
    names = [column.attname for column in Product._meta.concrete_fields]
    return all(getattr(product, name) == getattr(stored, name) for name in names)


@pytest.mark.parametrize("field", VOLATILE)
def test_update(products: list[Product], field: str) -> None:
    assert Product.objects.update(**{field: VOLATILE[field]}) == 20
    check()
    assert set(Product.objects.values_list("version", flat=True)) == {2}


def test_update_with_values_beside(products: list[Product]) -> None:
    Product.objects.update(**VOLATILE, is_active=False)
    check()


def test_update_with_a_volatile_filter(products: list[Product]) -> None:
    Product.objects.annotate(luck=Random()).filter(luck__lt=0.5).update(stock=77)
    check()
    Product.objects.annotate(luck=Random()).filter(luck__lt=0.5).update(stock=Floor(Random() * 9))
    check()


def test_bulk_update(products: list[Product]) -> None:
    for product in products:
        product.price, product.stock = VOLATILE["price"], VOLATILE["stock"]
    Product.objects.bulk_update(products, ["price", "stock"], batch_size=7)
    check()


def test_save(products: list[Product]) -> None:
    product = products[0]
    product.price, product.stock, product.name = VOLATILE.values()
    product.save()
    check()
    assert is_settled(product)


def test_new_rows() -> None:
    saved = new(0, **VOLATILE)
    saved.save()
    products = [saved, *Product.objects.bulk_create([new(1, **VOLATILE), new(2), new(3, pk=77)])]
    check()
    assert all(map(is_settled, products))


def test_a_computed_category() -> None:
    shelf = Category.objects.create(name="Kitchen", slug="kitchen")
    Product.objects.bulk_create([new(1, category_id=Value(shelf.pk)), new(2)])
    new(3, category_id=Value(shelf.pk)).save()
    check()
    assert shelf.products.count() == 2


def test_djangos_shortcuts() -> None:
    defaults = {"name": "Kettle", **VOLATILE}
    Product.objects.get_or_create(sku="K1", defaults=defaults)
    Product.objects.update_or_create(sku="K2", defaults=defaults)
    Product.objects.update_or_create(sku="K2", defaults=defaults)
    product, _ = Product.objects.update_or_create(pk=99, defaults={"sku": "K3", **defaults})
    check()
    assert is_settled(product)


def test_a_column_reference_in_a_new_row_is_rejected_as_in_django() -> None:
    from django.db.models import F

    with pytest.raises(ValueError, match="stock"):
        new(1, stock=F("stock") + 1).save()


def test_database_defaults_are_left_to_the_database() -> None:
    default = DatabaseDefault(Value(1))
    assert stored_form(Product._meta.get_field("price"), default) is UNKNOWN
