"""What the database computes is published as it is stored, however often it would differ."""

import pytest
from django.db.models import Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.fields import CharField
from django.db.models.functions import Cast, Concat, Floor, Random

from product_service.products.models import Category, Product
from product_service.products.settling import as_stored
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
    """Whether the instance has what its row has."""
    stored = Product.objects.get(pk=product.pk)
    names = ("version", *Product.CHANGEABLE)
    return all(getattr(product, name) == getattr(stored, name) for name in names)


@pytest.mark.parametrize("field", VOLATILE)
def test_update(products: list[Product], field: str) -> None:
    assert Product.objects.update(**{field: VOLATILE[field]}) == 20
    check()
    assert set(Product.objects.values_list("version", flat=True)) == {2}


def test_update_with_values_beside(products: list[Product]) -> None:
    Product.objects.update(**VOLATILE, is_active=False)
    check()


def test_update_where_a_filter_finds_others_each_time(products: list[Product]) -> None:
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


def test_a_column_reference_in_a_new_row_is_refused_as_django_does() -> None:
    from django.db.models import F

    with pytest.raises(ValueError, match="stock"):
        new(1, stock=F("stock") + 1).save()


def test_a_default_of_the_database_is_left_to_it() -> None:
    default = DatabaseDefault(Value(1))
    assert as_stored(Product._meta.get_field("price"), default) is default
