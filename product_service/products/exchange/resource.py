"""What importing a file does, and what an export contains."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from import_export import fields, resources, widgets
from import_export.instance_loaders import BaseInstanceLoader
from import_export.results import Result, RowResult

from product_service.products.exchange import categories, shopify
from product_service.products.exchange.cells import Cell, Column, FileError, Raw, Sheet
from product_service.products.exchange.columns import COLUMNS, take_our_own
from product_service.products.exchange.lines import Line, LineProblem, LineReader
from product_service.products.exchange.permissions import may
from product_service.products.fields import normal
from product_service.products.models import Category, Product

OPTION = Column("--currency")


class SlugOf(widgets.Widget):
    """A category as its slug; empty if there is none."""

    def render(self, value: Category | None, obj: Any = None, **kwargs: Any) -> str:
        return value.slug if value else ""


class AsItIs(widgets.Widget):
    """A number or boolean, unchanged, for the format to write."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return value


class LockedProducts(BaseInstanceLoader):
    """The products of a file, locked so that concurrent changes of other columns are not lost."""

    def __init__(self, resource: Any, dataset: Sheet) -> None:
        super().__init__(resource, dataset)
        skus = dataset["sku"] if dataset.headers else []
        rows = Product.objects.select_for_update(of=["self"]).select_related("category")
        self._products = {row.sku: row for row in rows.filter(sku__in=skus).order_by("pk")}

    def get_instance(self, row: Line) -> Product | None:
        return self._products.get(row["sku"])


class ImportResult(Result):
    """Numbers rows by their lines, and lists problems by cell and notes on what was skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[LineProblem] = []
        self.notes: list[str] = []

    def append_invalid_row(self, number: int, row: Line, validation_error: ValidationError) -> None:
        super().append_invalid_row(row["sku"].line, row, validation_error)


class ProductResource(resources.ModelResource):
    """Imports products by SKU: existing ones are changed, others are created.

    Accepts Shopify's format as well, whose categories are created if missing. Each line is
    validated like a request to the API. Each invalid cell is reported with its position, and
    nothing is imported.
    """

    category = fields.Field("category", "category", widget=SlugOf())
    price = fields.Field("price", "price", widget=AsItIs())
    stock = fields.Field("stock", "stock", widget=AsItIs())
    is_active = fields.Field("is_active", "is_active", widget=AsItIs())

    class Meta:
        model = Product
        fields = export_order = COLUMNS
        import_id_fields = ("sku",)
        instance_loader_class = LockedProducts
        use_transactions = True
        skip_unchanged = True
        report_skipped = True

    @classmethod
    def get_display_name(cls) -> str:
        return "Products"

    @classmethod
    def get_result_class(cls) -> type[Result]:
        return ImportResult

    def before_import(self, dataset: Sheet, **kwargs: Any) -> None:
        """Convert the columns of the file to ours, from our own format or Shopify's."""
        self._seen: dict[str, Cell] = {}
        self._problems: list[LineProblem] = []
        self._named = categories.ByName(kwargs.get("user"))
        try:
            is_shopify = shopify.is_export(dataset.columns)
            (shopify.take if is_shopify else take_our_own)(dataset)
            _take_currency(dataset, kwargs.get("currency"))
        except FileError:
            dataset.wipe()
            raise
        _normalize_skus(dataset)
        self._lines = LineReader(self._named if is_shopify else categories.by_slug())

    def import_instance(self, instance: Product, row: Line, **kwargs: Any) -> None:
        """Set the values of a line on a product.

        :raises ValidationError: names each invalid cell.
        """
        values, problems = self._lines.read(row, is_new=instance.pk is None)
        problems += self._named_before(row)
        if problems:
            self._refuse(problems)
        for name, value in values.items():
            setattr(instance, name, value)

    def save_instance(self, instance: Product, is_create: bool, row: Line, **kwargs: Any) -> None:
        """Save a row if the user has the permission."""
        verb = "add" if is_create else "change"
        if not may(kwargs.get("user"), verb, Product):
            sku = row["sku"]
            self._refuse(
                [LineProblem(sku, sku, "sku", f"You do not have permission to {verb} products.")]
            )
        super().save_instance(instance, is_create, row, **kwargs)

    def do_instance_save(self, instance: Product, is_create: bool) -> None:
        try:
            with transaction.atomic():
                super().do_instance_save(instance, is_create)
        except IntegrityError:
            sku = self._seen[instance.sku]
            text = "has just been taken by someone else. Import the file again."
            self._refuse([LineProblem(sku, sku, "sku", text)])

    def after_import_row(self, row: Line, row_result: RowResult, **kwargs: Any) -> None:
        on_row: Callable[[], None] | None = kwargs.get("on_row")
        if on_row:
            on_row()

    def after_import(self, dataset: Sheet, result: ImportResult, **kwargs: Any) -> None:
        super().after_import(dataset, result, **kwargs)
        result.problems = self._problems
        result.notes = list(dataset.notes)
        if created := self._named.created:
            what = "Category" if len(created) == 1 else "Categories"
            result.notes.append(f"{what} created: {', '.join(created)}.")

    def _named_before(self, row: Line) -> list[LineProblem]:
        sku = row["sku"]
        first = self._seen.setdefault(str(sku), sku)
        if first is sku:
            return []
        return [LineProblem(sku, sku, "sku", f"has {str(sku)!r}, as does {first.place}.")]

    def _refuse(self, problems: list[LineProblem]) -> None:
        self._problems += problems
        texts: dict[str, list[str]] = {}
        for problem in problems:
            texts.setdefault(problem.field, []).append(str(problem))
        raise ValidationError(texts)


def _normalize_skus(sheet: Sheet) -> None:
    number = sheet.headers.index("sku")
    rows = [list(row) for row in sheet]
    for row in rows:
        row[number] = row[number].but(normal(row[number]))
    sheet.become(sheet.headers, rows)


def _take_currency(sheet: Sheet, currency: str | None) -> None:
    """Set the currency of prices in a file that has none.

    :raises FileError: if the file has a currency as well.
    """
    if "currency" in sheet.headers:
        if currency:
            raise FileError("The file has a currency column: leave the currency option empty.")
        return
    if not currency:
        default = Product._meta.get_field("currency").default
        sheet.notes.append(f"No currency given: new products are in {default}.")
        return
    number = sheet.headers.index("price")
    rows = [[*row, Cell(Raw(currency), row[number].line, OPTION)] for row in sheet]
    sheet.become([*sheet.headers, "currency"], rows)
