"""Every value of a file is imported exactly, or rejected by its position. Nothing is ignored."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import Workbook
from rest_framework.test import APIClient

from eventbus.outbox.models import OutboxEvent
from product_service.products.exchange import cells, xlsx_files
from product_service.products.models import Category, Product
from product_service.products.tests.test_exchange import SHOPIFY, flat, run, upload, write
from product_service.products.tests.test_many import check, new

pytestmark = pytest.mark.django_db

__all__ = ["write"]

HEAD = ["sku", "name", "description", "category", "price", "currency", "stock", "is_active"]


@pytest.fixture(params=["csv", "xlsx"])
def file_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as CSV or Excel: the same rules apply to both."""

    def file_of(*rows: list[Any]) -> Path:
        path = tmp_path / f"products.{request.param}"
        if request.param == "csv":
            lines = (",".join(f'"{"" if c is None else c}"' for c in row) for row in rows)
            path.write_text("\n".join(lines) + "\n")
        else:
            book = Workbook()
            for number, row in enumerate(rows, start=1):
                book.active.append(row)
                for cell in book.active[number]:
                    cell.data_type = "s" if isinstance(cell.value, str) else cell.data_type
            book.save(path)
        return path

    return file_of


def excel(tmp_path: Path, change: Any, *rows: list[Any]) -> Path:
    """An Excel file, modified by a function that gets its workbook and sheet."""
    path = tmp_path / "products.xlsx"
    book = Workbook()
    for row in rows:
        book.active.append(row)
    change(book, book.active)
    book.save(path)
    return path


def refused(path: Path, *words: object) -> str:
    """Run an import that fails, check that nothing was imported, and return its output."""
    before = OutboxEvent.objects.count()
    try:
        output = flat(run("import_products", path, *words, status=1))
    except CommandError as error:
        output = str(error)
    assert OutboxEvent.objects.count() == before
    return output


def one_row(**values: Any) -> list[list[Any]]:
    row = {"sku": "S1", "name": "Pan", "price": "1", **values}
    return [list(row), list(row.values())]


TRUTHS = {
    True: ["true", "TRUE", " yes ", "Y", "on", "1", "t", "WAHR", "Vrai", 1, True],
    False: ["false", "No", "n", "OFF", "0", "f", "falsch", "faux", 0, False],
}


@pytest.mark.parametrize(
    ("word", "is_active"), [(word, truth) for truth, words in TRUTHS.items() for word in words]
)
def test_words_for_true_and_false(
    file_of: Callable[..., Path], word: bool | int | str, is_active: bool
) -> None:
    run("import_products", file_of(*one_row(is_active=word)))
    assert Product.objects.get().is_active is is_active


@pytest.mark.parametrize("word", ["yes!", "2", "active", "null", "-", "x", 2, 0.5])
def test_an_unknown_boolean_is_an_error(file_of: Callable[..., Path], word: float | str) -> None:
    output = refused(file_of(*one_row(is_active=word)))
    assert f"has '{word}': Enter true or false" in output


@pytest.mark.parametrize("header", ["stock", " stock", "Stock", "STOCK  "])
def test_headers_ignore_case_and_white_space(file_of: Callable[..., Path], header: str) -> None:
    run("import_products", file_of(*one_row(**{header: "7"})))
    assert Product.objects.get().stock == 7


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("stok", "Unknown column: stok (did you mean stock?). Available columns: sku, name,"),
        ("Is active", "did you mean is_active?"),
        ("colour", "Unknown column: colour. Available columns:"),
        (" SKU", "Duplicate header SKU"),
    ],
)
def test_unknown_and_duplicate_columns_are_rejected(
    file_of: Callable[..., Path], header: str, words: str
) -> None:
    assert words in refused(file_of(*one_row(**{header: "7"})))


def test_blank_rows_are_reported(file_of: Callable[..., Path]) -> None:
    head, row = one_row()
    output = run("import_products", file_of([None] * 3, head, [" ", "", None], row, [None] * 3))
    assert "1 new" in output
    assert "2 blank rows were skipped." in output


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("stock", "2.0", 2),
        ("stock", 2.0, 2),
        ("stock", " 3 ", 3),
        ("stock", 2**31 - 1, 2**31 - 1),
        ("price", "12,50", Decimal("12.50")),
        ("price", "12.5", Decimal("12.50")),
        ("price", 19.99, Decimal("19.99")),
        ("price", 1_234_567_890.12, Decimal("1234567890.12")),
        ("sku", 1001, "1001"),
        ("name", "=1+1 of 'em", "=1+1 of 'em"),
        ("name", "'tis", "'tis"),
        ("name", "'=1+1", "=1+1"),
        ("description", " a\r\nb ", "a\nb"),
    ],
)
def test_valid_values_are_imported_exactly(
    file_of: Callable[..., Path], field: str, value: object, stored: object
) -> None:
    path = file_of(*one_row(**{field: value}))
    run("import_products", path)
    assert getattr(Product.objects.get(), field) == stored
    check()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("stock", "2.9", "Enter a whole number"),
        ("stock", 2.9, "Enter a whole number"),
        ("stock", "many", "Enter a whole number"),
        ("stock", -1, "greater than or equal to 0"),
        ("stock", 2**63, "less than or equal to"),
        ("stock", "", "is blank: fill it in, or remove the column."),
        ("currency", "", "is blank"),
        ("is_active", None, "is blank"),
        ("price", None, "is blank"),
        ("price", "1,250", "Enter a number"),
        ("price", "1.250,00", "Enter a number"),
        ("price", 19.989999999, "has '19.989999999': Ensure that there are no more than 2 decimal"),
        ("price", "19.989999999", "no more than 2 decimal"),
        ("price", 0.7 + 0.1, "has '0.7999999999999999': Ensure that there are no more than"),
        ("price", 1e300, "digits"),
        ("currency", "eur", "is not an ISO 4217"),
        ("category", "nowhere", "Category nowhere does not exist"),
        ("description", "x" * 20_001, "no more than 20000 characters"),
        ("name", "a\x7fb", "control character U+007F"),
        ("sku", "x" * 65, "no more than 64 characters"),
    ],
)
def test_invalid_values_are_rejected_by_their_position(
    file_of: Callable[..., Path], field: str, value: object, words: str
) -> None:
    rows = one_row(**{field: value})
    path = file_of(*rows)
    column = rows[0].index(field)
    place = f"Cell {'ABCD'[column]}2 " if path.suffix == ".xlsx" else f"Line 2, column {field} "
    output = refused(path)
    assert place in output
    assert words in output


def test_the_api_accepts_what_was_imported(file_of: Callable[..., Path], editor: APIClient) -> None:
    """An imported product can be sent back in the form in which the API returns it."""
    Category.objects.create(name="Kitchen", slug="kitchen")
    rows = one_row(category="kitchen", stock=3, description="a\r\nb", is_active="yes")
    run("import_products", file_of(*rows))
    url = f"/api/products/{Product.objects.get().pk}/"
    body = editor.get(url).json()
    answer = editor.put(url, body, format="json")
    assert answer.json() == body


CELLS: dict[str, tuple[Callable[[Any], object], str]] = {
    "formula": (lambda s: s.__setitem__("C2", "=1+1"), "Cell C2 contains a formula"),
    "error": (lambda s: s.__setitem__("C2", "#N/A"), "Cell C2 contains the error #N/A"),
    "date": (lambda s: s.__setitem__("A2", date(2026, 1, 2)), "Cell A2 contains a date"),
    "boolean as a price": (
        lambda s: s.__setitem__("C2", True),
        "Cell C2 has 'true': Enter a number",
    ),
    "boolean as a name": (lambda s: s.__setitem__("B2", True), "Cell B2 contains the boolean"),
    "zeros of a format": (
        lambda s: (s.__setitem__("A2", 7), s["A2"].__setattr__("number_format", "000")),
        "Cell A2 contains the number 7. Format the column as text",
    ),
    "lost digits": (
        lambda s: s.__setitem__("A2", 4006381333931123000),
        "Format the column as text",
    ),
    "percentage": (
        lambda s: (s.__setitem__("C2", 0.5), s["C2"].__setattr__("number_format", "0%")),
        "Cell C2 contains a percentage",
    ),
    "no header": (lambda s: s.__setitem__("E2", "x"), "Cell E2 has no header above it: 'x'"),
    "merged": (lambda s: s.merge_cells("B2:B3"), "The cells B2:B3 are merged"),
    "two sheets": (
        lambda s: s.parent.create_sheet("Old").__setitem__("A1", 1),
        "The file has 2 sheets: Sheet, Old.",
    ),
    "hidden sheet": (
        lambda s: setattr(hidden(s.parent), "sheet_state", "hidden"),
        "Old (hidden)",
    ),
    "formula as a header": (
        lambda s: s.__setitem__("D1", "=A1"),
        "The header of column D contains a",
    ),
}


def hidden(book: Workbook) -> Any:
    sheet = book.create_sheet("Old")
    sheet["A1"] = 1
    return sheet


@pytest.mark.parametrize("kind", CELLS)
def test_ambiguous_excel_cells_are_rejected(tmp_path: Path, kind: str) -> None:
    put, words = CELLS[kind]
    assert words in refused(excel(tmp_path, lambda _, sheet: put(sheet), *one_row()))


def test_additional_empty_sheets_are_ignored(tmp_path: Path) -> None:
    path = excel(tmp_path, lambda book, _: book.create_sheet("Sheet2"), *one_row())
    assert "1 new" in run("import_products", path)


def test_excel_numbers_are_read_in_their_shortest_form(tmp_path: Path) -> None:
    """Excel writes 17 digits: for 19.99, those of the nearest number that it can store."""
    path = excel(tmp_path, lambda *_: None, *one_row(price=19.99))
    changed = tmp_path / "changed.xlsx"
    with ZipFile(path) as old, ZipFile(changed, "w") as new_file:
        for name in old.namelist():
            content = old.read(name)
            new_file.writestr(name, content.replace(b"<v>19.99</v>", b"<v>19.989999999999998</v>"))
    assert b"19.989999999999998" in ZipFile(changed).read("xl/worksheets/sheet1.xml")
    run("import_products", changed)
    assert Product.objects.get().price == Decimal("19.99")


GERMAN = "sku;name;price;is_active\r\nS1;Töpfe;12,50;WAHR\r\n"


@pytest.mark.parametrize(
    "content",
    [
        GERMAN.encode("utf-8"),
        GERMAN.encode("utf-8-sig"),
        GERMAN.encode("utf-16"),
        GERMAN.replace(";", "\t").encode("utf-16"),
        f"sep=;\r\n{GERMAN}".encode(),
        GERMAN.replace("\r\n", "\r").encode(),
    ],
    ids=["utf-8", "bom", "utf-16", "tabs", "sep", "cr"],
)
def test_csv_as_spreadsheets_write_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "products.csv"
    path.write_bytes(content)
    run("import_products", path)
    product = Product.objects.get()
    assert (product.name, product.price, product.is_active) == ("Töpfe", Decimal("12.50"), True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            GERMAN.encode("cp1252"),
            r"not valid UTF-8: line 2, byte 5\. In Excel, save the file as 'CSV UTF-8'",
        ),
        ("sku,name".encode("utf-16-le"), "Line 1 has a NUL"),
        (b"\xff\xfes", "not valid UTF-16"),
        (b"PK\x03\x04", "an Excel file, not CSV"),
        (b"\xd0\xcf\x11\xe0", "an Excel file, not CSV"),
        (b'sku,name,price\nS1,"Pan,1\n', "Line 2 is not valid CSV"),
        (b"sku,name,price\nS1,Pan\n", "Line 2 has 2 cells, but the header has 3"),
        (b"sku,name,price\nS1,Pan,1,5\n", "Line 2 has no header for its cell 4: '5'"),
        (b"sku,name,price,\nS1,Pan,1,5\n", "Line 2 has no header for its cell 4: '5'"),
    ],
)
def test_invalid_csv_is_rejected_by_its_position(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "products.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=words):
        run("import_products", path)


def test_line_numbers_are_those_of_the_file(tmp_path: Path, write: Callable[..., Path]) -> None:
    """Not of its rows: a cell may contain line breaks."""
    path = write('sku,name,price\nS1,"Pan\n\n of iron",1\n\nS2,Pot,x\n')
    assert "Line 6, column price has 'x'" in refused(path)
    assert "Line 3, column price has 'x'" in refused(write("sep=;\nsku;name;price\nS2;Pot;x\n"))


def test_a_file_that_is_too_large_is_rejected(
    file_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, row = one_row()
    path = file_of(head, row, row)
    monkeypatch.setattr(cells, "MOST_LINES", 1)
    assert "more than 1 rows" in refused(path)
    monkeypatch.setattr(xlsx_files, "MOST_UNPACKED", 100)
    if path.suffix == ".xlsx":
        assert "when unpacked" in refused(path)


def test_the_currency_option_is_rejected_if_the_file_has_a_currency(
    write: Callable[..., Path],
) -> None:
    path = write("sku,name,price,currency\nS1,Pan,1,EUR\n")
    assert "leave the currency option empty" in refused(path, "--currency", "USD")
    run("import_products", write("sku,name,price\nS1,Pan,1\n"), "--currency", "USD")
    assert Product.objects.get().currency == "USD"


def test_missing_columns_do_not_overwrite_concurrent_changes(
    write: Callable[..., Path],
) -> None:
    """Rows are locked when they are read, if the database supports that."""
    Product.objects.bulk_create([new(1, stock=5)])
    with CaptureQueriesContext(connection) as captured:
        run("import_products", write("sku,name,price\nS1,Pot,10.00\n"))
    assert Product.objects.get().stock == 5
    first = next(q["sql"] for q in captured if 'FROM "products_product"' in q["sql"])
    assert ("FOR UPDATE" in first) is connection.features.has_select_for_update


def test_the_admin_reports_the_same(admin_client: Client, write: Callable[..., Path]) -> None:
    page = upload(admin_client, SHOPIFY)
    text = page.content.decode()
    assert "1 image-only row was skipped." in text
    done = admin_client.post(
        "/admin/products/product/process_import/", page.context["confirm_form"].initial, follow=True
    )
    assert "1 image-only row was skipped." in done.content.decode()
    wrong = upload(admin_client, "sku,name,price,stock\nS1,Pan,1,2.9\nS2,Pot,1,many\n")
    assert (
        "Line 3, column stock has &#x27;many&#x27;: Enter a whole number" in wrong.content.decode()
    )
    assert "confirm_form" not in wrong.context
    for content, words in (
        ("sku,name,price,stok\nS1,Pan,1,2\n", "did you mean stock?"),
        ("sku,name,price\nS1,Pan\n", "Line 2 has 2 cells"),
    ):
        page = upload(admin_client, content).content.decode()
        assert words in page
        assert "Traceback" not in page
