"""Exports are imported unchanged, and contain nothing that a spreadsheet runs."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from product_service.products.exchange.cells import FileError
from product_service.products.exchange.formats import CSV, XLSX
from product_service.products.exchange.resource import ProductResource
from product_service.products.models import Category, Product
from product_service.products.tests.test_exchange import run
from product_service.products.tests.test_many import new, stored

pytestmark = pytest.mark.django_db

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
COUNTED = {"id", "version", "created_at", "updated_at"}

kept = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
beginnings = st.text(st.sampled_from([*"'=+-@\t\r\n ", "\uff1d", "\uff20"]), max_size=3)
awkward = st.sampled_from(
    [
        "",
        "#N/A",
        "TRUE",
        "007",
        "1e5",
        "2026-01-02",
        "_x0041_",
        "_x005F_",
        "_x000A_",
        "'",
        "''",
        "sep=;",
    ]
)
texts = st.builds(
    "".join, st.tuples(beginnings, awkward, st.text(kept | st.just("\n"), max_size=9))
)
names = texts.filter(str.strip)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "sku": names.map(lambda text: text[:64]).filter(str.strip),
            "name": names,
            "description": texts,
            "price": st.decimals(0, 9_999_999_999, places=2),
            "currency": st.sampled_from(["EUR", "JPY"]),
            "stock": st.integers(0, 2**31 - 1),
            "is_active": st.booleans(),
        }
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda row: Product._meta.get_field("sku").to_python(row["sku"]),
)


def values() -> list[dict[str, Any]]:
    found = ({k: v for k, v in row.items() if k not in COUNTED} for row in stored().values())
    return sorted(found, key=lambda row: row["sku"])


@pytest.mark.parametrize("file_format", [CSV, XLSX])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows)
@example([{"sku": "=1", "name": "'=1", "description": "-1\n+1", "price": "0.1"}])
@example([{"sku": "S", "name": "Pan", "description": "", "price": "0"}])
@example([{"sku": "_x0041_", "name": "#N/A", "description": "''=", "price": "9999999999.99"}])
def test_an_export_is_imported_unchanged(
    file_format: type[CSV | XLSX], rows: list[dict[str, Any]]
) -> None:
    with transaction.atomic():
        shelf = Category.objects.create(name="Shelf", slug="shelf")
        for row in rows:
            Product.objects.create(**row, category=shelf)
        before = values()
        exported = ProductResource().export(Product.objects.order_by("pk"))
        content = file_format().export_data(exported)
        again = ProductResource().import_data(file_format().create_dataset(content))
        assert (again.totals["skip"], again.problems) == (len(rows), [])
        Product.objects.all().delete()
        result = ProductResource().import_data(file_format().create_dataset(content))
        assert (result.totals["new"], result.problems) == (len(rows), [])
        assert values() == before
        if file_format is CSV:
            read = csv.reader(io.StringIO(content.decode(), newline=""))
            assert not any(cell.startswith(FORMULAS) for line in read for cell in line)
        else:
            book = load_workbook(io.BytesIO(content))
            assert {cell.data_type for row in book.active for cell in row[:4]} <= {"s", "n"}
            assert "f" not in {cell.data_type for row in book.active for cell in row}
        transaction.set_rollback(True)


@pytest.mark.parametrize("name", ["all.csv", "all.xlsx"])
def test_formulas_stay_texts(tmp_path: Path, name: str) -> None:
    Product.objects.bulk_create(new(n, name=f"{c}1+1") for n, c in enumerate("=+-@"))
    run("export_products", "--output", tmp_path / name)
    assert "4 unchanged" in run("import_products", tmp_path / name)


def test_numbers_are_numbers_to_excel(tmp_path: Path) -> None:
    Product.objects.bulk_create([new(1, sku="007", price="12.50", is_active=False)])
    run("export_products", "--output", tmp_path / "all.xlsx")
    sheet = load_workbook(tmp_path / "all.xlsx").active
    row = {head.value: cell for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert (row["price"].value, row["price"].number_format) == (12.5, "0.00")
    assert (row["stock"].value, row["is_active"].value) == (1, False)
    assert (row["sku"].value, row["sku"].number_format) == ("007", "@")


def test_characters_that_xml_cannot_contain_are_exported() -> None:
    """Rows from before control characters were rejected. Importing them reports the error."""
    Product.objects.bulk_create([new(1, name="a\x01b\x0bc\ufffe")])
    content = XLSX().export_data(ProductResource().export(Product.objects.all()))
    [row] = XLSX().create_dataset(content)
    assert row[1] == "a\x01b\x0bc\ufffe"


def test_a_text_that_excel_would_truncate_is_rejected(tmp_path: Path) -> None:
    Product.objects.bulk_create([new(1, description="\U0001fad6" * 20_000)])
    with pytest.raises(FileError, match="export it as CSV"):
        XLSX().export_data(ProductResource().export(Product.objects.all()))
    run("export_products", "--output", tmp_path / "all.csv")
    assert "1 unchanged" in run("import_products", tmp_path / "all.csv")


def test_the_admin_and_the_command_export_the_same(admin_client: Client, tmp_path: Path) -> None:
    Product.objects.bulk_create([new(1, name="=1+1", price="12.50")])
    chosen = {f"productresource_{name}": "on" for name in ProductResource().fields}
    for number, ending in enumerate(("csv", "xlsx")):
        path = tmp_path / f"all.{ending}"
        run("export_products", "--output", path)
        form = {"format": str(number), "resource": "", **chosen}
        answer = admin_client.post("/admin/products/product/export/", form)
        if ending == "csv":
            assert answer.content == path.read_bytes()
        path.write_bytes(answer.content)
        assert "1 unchanged" in run("import_products", path)
