"""Import and export of products."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from eventbus.outbox.models import OutboxEvent
from product_service.products.exchange.shopify import text
from product_service.products.models import Category, Product
from product_service.products.tests.test_many import check, new, stored

pytestmark = pytest.mark.django_db

OURS = """sku,name,description,category,price,currency,stock,is_active
P1,Pan,"Large, black",kitchen,12.5,EUR,3,1
P2,Lid,,,4,USD,0,0
"""
SHOPIFY = """Handle,Title,Body (HTML),Type,Published,Option1 Name,Option1 Value,Option2 Value,\
Variant SKU,Variant Inventory Qty,Variant Price,Image Src,Status
mug,Mug,<p>Blue &amp; white</p><ul><li>0.3 l</li></ul>,\
Table ware,true,Size,Small,Blue,,4,9.99,a,active
mug,,,,,,Large,Blue,MUG-L,0,12.99,b,
mug,,,,,,,,,,,c,
lamp,Lamp,,,true,Title,Default Title,,,-2,59,,draft
"""


@pytest.fixture
def kitchen() -> Category:
    return Category.objects.create(name="Kitchen", slug="kitchen")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str, name: str = "products.csv") -> Path:
        path = tmp_path / name
        path.write_text(content)
        return path

    return write


def run(command: str, *words: object, status: int = 0) -> str:
    """Run a command, and return its output on both channels."""
    out = io.StringIO()
    ended: str | int | None = 0
    try:
        call_command(command, *map(str, words), stdout=out, stderr=out)
    except SystemExit as error:
        ended = error.code
    assert ended == status, out.getvalue()
    return out.getvalue()


def flat(output: str) -> str:
    """The words of a table, without its borders."""
    return " ".join(output.replace("│", " ").split())


def test_our_own_columns(kitchen: Category, write: Callable[..., Path]) -> None:
    Product.objects.bulk_create([new(1, sku="P2", name="Lid", price=5, currency="USD", stock=0)])
    output = run("import_products", write(OURS))
    assert "Imported: 1 new, 1 changed, 0 unchanged." in output
    pan, lid = Product.objects.order_by("sku")
    assert (pan.category, str(pan.price), pan.description) == (kitchen, "12.50", "Large, black")
    assert (lid.version, str(lid.price), lid.is_active) == (2, "4.00", False)
    check()


def test_unchanged_products_publish_no_events(
    kitchen: Category, write: Callable[..., Path]
) -> None:
    run("import_products", write(OURS))
    told = OutboxEvent.objects.count()
    assert "0 new, 0 changed, 2 unchanged" in run("import_products", write(OURS))
    assert OutboxEvent.objects.count() == told == 2


def test_missing_columns_leave_values_unchanged(
    kitchen: Category, write: Callable[..., Path]
) -> None:
    run("import_products", write(OURS))
    run("import_products", write("sku,name,price\nP1,Wok,20\n"))
    wok = Product.objects.get(sku="P1")
    assert (wok.name, wok.stock, wok.category) == ("Wok", 3, kitchen)


def test_a_dry_run_imports_nothing(kitchen: Category, write: Callable[..., Path]) -> None:
    assert "Would be imported: 2 new" in run("import_products", write(OURS), "--dry-run")
    assert not Product.objects.exists()
    assert not OutboxEvent.objects.exists()


def test_one_invalid_line_rejects_the_whole_file(
    kitchen: Category, write: Callable[..., Path]
) -> None:
    wrong = (
        OURS + "P3,Pot,,nowhere,1,EUR,1,1\nP1,Pan,,,x,EUR,1,1\nP4,,,,-1,EUR,1,1\n,Cup,,,1,EUR,1,1\n"
    )
    output = flat(run("import_products", write(wrong), status=1))
    for words in (
        "Line 4, column category has 'nowhere': Category nowhere does not exist.",
        "Line 5, column price has 'x': Enter a number",
        "Line 5, column sku has 'P1', as does line 2, column sku.",
        "Line 6, column name is blank",
        "Line 6, column price has '-1'",
        "Line 7, column sku is blank",
    ):
        assert words in output, output
    assert "Nothing was imported" in output
    assert not Product.objects.exists()
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "Unknown columns: a, b."),
        ("sku\n1\n", "Required columns are missing: name, price"),
    ],
)
def test_an_unusable_file_is_rejected_with_one_line(
    write: Callable[..., Path], content: str, words: str
) -> None:
    with pytest.raises((CommandError, AssertionError), match=words):
        run("import_products", write(content))
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("name", "words", "options"),
    [
        ("products.xlsx", "as an Excel file", ()),
        ("products.csv", "not a Shopify product export", ("--format", "shopify")),
        ("products.csv", "not an ISO 4217", ("--currency", "EURO")),
    ],
)
def test_a_wrong_option_is_rejected_with_one_line(
    write: Callable[..., Path], name: str, words: str, options: Sequence[str]
) -> None:
    with pytest.raises(CommandError, match=words):
        run("import_products", write(OURS, name), *options)


def test_a_missing_file_is_reported_with_one_line() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv: No such file"):
        run("import_products", "nowhere.csv")


def test_shopifys_export(write: Callable[..., Path]) -> None:
    assert "Imported: 3 new" in run("import_products", write(SHOPIFY), "--currency", "USD")
    rows = {row["sku"]: row for row in stored().values()}
    assert set(rows) == {"mug-small-blue", "MUG-L", "lamp"}
    small, large, lamp = rows["mug-small-blue"], rows["MUG-L"], rows["lamp"]
    assert (small["name"], large["name"], lamp["name"]) == (
        "Mug, Small, Blue",
        "Mug, Large, Blue",
        "Lamp",
    )
    assert small["description"] == large["description"] == "Blue & white\n0.3 l"
    assert (small["category"], lamp["category"]) == ("table-ware", None)
    assert (small["price"], large["price"], small["currency"]) == ("9.99", "12.99", "USD")
    assert (small["stock"], large["stock"], lamp["stock"]) == (4, 0, 0)
    assert (large["is_active"], lamp["is_active"]) == (True, False)
    check()
    assert "0 new, 0 changed, 3 unchanged" in run("import_products", write(SHOPIFY))


def test_an_invalid_line_of_shopifys_is_reported_by_its_number(write: Callable[..., Path]) -> None:
    wrong = SHOPIFY.replace(",59,", ",59 EUR,")
    output = flat(run("import_products", write(wrong), status=1))
    assert "lamp Line 5, column Variant Price has '59 EUR': Enter a number" in output
    assert not Category.objects.exists()


def test_html_becomes_text() -> None:
    assert text("<p>One<br>two</p>\n<p>3 &lt; 4</p><script>x</script>") == "One\ntwo\n3 < 4\nx"


@pytest.mark.parametrize("name", ["all.csv", "all.xlsx"])
def test_an_export_can_be_imported(kitchen: Category, tmp_path: Path, name: str) -> None:
    Product.objects.bulk_create(new(n, category=kitchen if n else None) for n in range(3))
    Product.objects.filter(sku="S2").update(name='Ünïcode, "quoted"', price="0.10", is_active=False)
    before = stored()
    assert "3 products written" in run("export_products", "--output", tmp_path / name)
    assert "3 unchanged" in run("import_products", tmp_path / name)
    Product.objects.all().delete()
    assert "3 new" in run("import_products", tmp_path / name)
    counted = {"id", "version", "created_at", "updated_at"}
    assert [{k: v for k, v in row.items() if k not in counted} for row in stored().values()] == [
        {k: v for k, v in row.items() if k not in counted} for row in before.values()
    ]


def upload(client: Client, content: str, **fields: str) -> Any:
    file = SimpleUploadedFile("products.csv", content.encode())
    form = {"import_file": file, "format": "0", "resource": "", "currency": "", **fields}
    return client.post("/admin/products/product/import/", form)


def test_the_admin_shows_a_preview_before_importing(
    admin_client: Client, write: Callable[..., Path]
) -> None:
    page = upload(admin_client, SHOPIFY, currency="USD")
    assert page.status_code == 200
    assert "mug-small-blue" in page.content.decode()
    assert not Product.objects.exists()
    form = page.context["confirm_form"].initial
    done = admin_client.post("/admin/products/product/process_import/", form, follow=True)
    assert "Import finished: 3 new" in done.content.decode()
    assert set(Product.objects.values_list("currency", flat=True)) == {"USD"}
    check()
    again = admin_client.post("/admin/products/product/process_import/", form, follow=True)
    assert "already been imported" in again.content.decode()
    assert Product.objects.count() == 3


def test_the_admin_lists_invalid_rows_and_offers_no_confirmation(
    admin_client: Client, kitchen: Category
) -> None:
    page = upload(admin_client, OURS.replace("12.5", "-1"))
    assert "confirm_form" not in page.context
    assert "greater than or equal to 0" in page.content.decode()


def test_a_preview_that_became_invalid_imports_nothing(
    admin_client: Client, kitchen: Category
) -> None:
    form = upload(admin_client, OURS).context["confirm_form"].initial
    kitchen.delete()
    done = admin_client.post("/admin/products/product/process_import/", form, follow=True)
    assert "Nothing was imported" in done.content.decode()
    assert not Product.objects.exists()


def test_import_and_export_in_the_admin_require_permissions(
    client: Client, django_user_model: type[User]
) -> None:
    client.force_login(django_user_model.objects.create_user("bob", is_staff=True))
    assert upload(client, OURS).status_code == 403
    assert client.get("/admin/products/product/export/").status_code == 403


def test_the_admin_exports(admin_client: Client) -> None:
    Product.objects.bulk_create([new(1)])
    form = {
        "format": "0",
        "resource": "",
        "productresource_sku": "on",
        "productresource_price": "on",
    }
    answer = admin_client.post("/admin/products/product/export/", form)
    assert answer.content.decode().splitlines() == ["sku,price", "S1,10.00"]
