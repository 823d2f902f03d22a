"""Shopify's product export: what is imported, rejected and reported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from product_service.products.models import Category, Product
from product_service.products.tests.test_exchange import run, write
from product_service.products.tests.test_import_rules import refused

pytestmark = pytest.mark.django_db

__all__ = ["write"]


def shopify(*rows: dict[str, str], **first: str) -> str:
    """An export of one product, whose rows have the given values."""
    known = {"Handle": "tea", "Title": "Tea", "Variant Price": "5", **first}
    names = list(dict.fromkeys([*known, *(name for row in rows for name in row)]))
    lines = [names, *([str(row.get(name, "")) for name in names] for row in (known, *rows))]
    return "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines)


def test_categories_with_colliding_slugs_stay_separate(write: Callable[..., Path]) -> None:
    names = ["C", "C++", "c", "\u304a\u8336", "\u30b3\u30fc\u30d2\u30fc"]
    rows = [
        {"Handle": f"h{n}", "Title": "T", "Variant Price": "1", "Type": t}
        for n, t in enumerate(names)
    ]
    Category.objects.create(name="Category", slug="category")
    output = run("import_products", write(shopify(*rows, Type="C")))
    assert "Categories created: " in output
    found = dict(Product.objects.exclude(sku="tea").values_list("sku", "category__name"))
    assert found == {f"h{n}": name for n, name in enumerate(names)}
    assert dict(Category.objects.values_list("name", "slug")) == {
        "Category": "category",
        "C": "c",
        "C++": "c-2",
        "c": "c-3",
        "\u304a\u8336": "category-2",
        "\u30b3\u30fc\u30d2\u30fc": "category-3",
    }
    assert "unchanged" in run("import_products", write(shopify(*rows, Type="C")))
    assert Category.objects.count() == 6


def test_a_category_is_found_by_its_exact_name(write: Callable[..., Path]) -> None:
    Category.objects.create(name="Old tea", slug="tea")
    run("import_products", write(shopify(Type="Tea ")))
    category = Product.objects.get().category
    assert category is not None
    assert category.name == "Tea"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"Type": "x" * 101}, "Line 2, column Type has 'x"),
        ({"Status": "sold"}, "Line 2, column Status has 'sold', which is not a Shopify Status"),
        ({"Published": "maybe"}, "Line 2, column Published has 'maybe'"),
        ({"Variant Inventory Qty": "2.9"}, "Variant Inventory Qty has '2.9': Enter a whole number"),
        ({"Variant Inventory Qty": "-x"}, "Variant Inventory Qty has '-x': Enter a whole number"),
        ({"Variant Price": "", "Variant SKU": "T1"}, "column Variant Price is blank"),
        ({"Body (HTML)": "x" * 20_001}, "Line 2, column Body (HTML) has"),
        ({"Handle": ""}, "Line 2, column Handle is blank"),
        ({"Option1 Value": "C", "title": "x"}, "Duplicate header title"),
    ],
)
def test_an_invalid_cell_of_shopifys_is_rejected_by_its_position(
    write: Callable[..., Path], values: dict[str, Any], words: str
) -> None:
    assert words in refused(write(shopify(**values)))
    assert not Category.objects.exists()


def test_variants_with_the_same_generated_sku_are_rejected(write: Callable[..., Path]) -> None:
    rows = [{"Handle": "tea", "Variant Price": "1", "Option1 Value": "C++"}]
    output = refused(write(shopify(*rows, **{"Option1 Value": "C"})))
    assert "Line 3, column Handle has 'tea-c', as does line 2, column Handle." in output
    rows[0]["Option1 Value"] = "\u304a\u8336"
    assert "2 new" in run("import_products", write(shopify(*rows, **{"Option1 Value": "C"})))


@pytest.mark.parametrize(
    ("status", "published", "is_active"),
    [("", "", True), ("Active", "TRUE", True), ("draft", "true", False), ("active", "no", False)],
)
def test_shopifys_status_determines_whether_a_product_is_active(
    write: Callable[..., Path], status: str, published: str, is_active: bool
) -> None:
    run("import_products", write(shopify(Status=status, Published=published)))
    assert Product.objects.get().is_active is is_active


def test_ignored_parts_of_shopifys_export_are_reported(write: Callable[..., Path]) -> None:
    output = run(
        "import_products",
        write(
            shopify(
                {"Handle": "tea", "Image Src": "x"},
                {
                    "Handle": "tea",
                    "Variant SKU": "T2",
                    "Variant Price": "1",
                    "Variant Inventory Qty": "-3",
                },
                Vendor="Us",
                Type="Tea",
                **{"Tags": "", "Variant Inventory Qty": ""},
            )
        ),
    )
    for words in (
        "Imported: 2 new",
        "no such fields: Vendor, Image Src.",
        "1 image-only row was skipped.",
        "1 negative quantity was imported as 0.",
        "1 variant without a quantity was imported with stock 0.",
        "Category created: Tea.",
        "No currency given: new products are in EUR.",
    ):
        assert words in output, output
