"""What importing a file does, and what exporting puts into one."""

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
    """A category as its slug; nothing where there is none."""

    def render(self, value: Category | None, obj: Any = None, **kwargs: Any) -> str:
        return value.slug if value else ""


class AsItIs(widgets.Widget):
    """A number, or whether something is true, for the format to write."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return value


class LockedProducts(BaseInstanceLoader):
    """The products that a file names, locked: nobody's change is undone by a column left out."""

    def __init__(self, resource: Any, dataset: Sheet) -> None:
        super().__init__(resource, dataset)
        skus = dataset["sku"] if dataset.headers else []
        rows = Product.objects.select_for_update(of=["self"]).select_related("category")
        self._products = {row.sku: row for row in rows.filter(sku__in=skus).order_by("pk")}

    def get_instance(self, row: Line) -> Product | None:
        return self._products.get(row["sku"])


class ImportResult(Result):
    """Knows rows by their lines, each problem by its cell, and what was passed over."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[LineProblem] = []
        self.notes: list[str] = []

    def append_invalid_row(self, number: int, row: Line, validation_error: ValidationError) -> None:
        super().append_invalid_row(row["sku"].line, row, validation_error)


class ProductResource(resources.ModelResource):
    """Products by their SKU: those that are known are changed, the others are new.

    A file in Shopify's format is taken as well, and brings its categories along. Each line is
    validated as the API validates. What is wrong is named by its place; then nothing of the file
    is imported.
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
        """Take the file's columns for ours, whoever's they are."""
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
        """Give a product the values of a line.

        :raises ValidationError: naming each cell that is wrong.
        """
        values, problems = self._lines.read(row, is_new=instance.pk is None)
        problems += self._named_before(row)
        if problems:
            self._refuse(problems)
        for name, value in values.items():
            setattr(instance, name, value)

    def save_instance(self, instance: Product, is_create: bool, row: Line, **kwargs: Any) -> None:
        """Write a row, if who imports may do what it does."""
        verb = "add" if is_create else "change"
        if not may(kwargs.get("user"), verb, Product):
            sku = row["sku"]
            self._refuse([LineProblem(sku, sku, "sku", f"You may not {verb} products.")])
        super().save_instance(instance, is_create, row, **kwargs)

    def do_instance_save(self, instance: Product, is_create: bool) -> None:
        try:
            with transaction.atomic():
                super().do_instance_save(instance, is_create)
        except IntegrityError:
            sku = self._seen[instance.sku]
            text = "was taken by somebody else at this moment. Import the file again."
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
        return [LineProblem(sku, sku, "sku", f"has {str(sku)!r}: so has {first.place}.")]

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
    """Price everything in a currency that the file does not name.

    :raises FileError: when the file names it, too.
    """
    if "currency" in sheet.headers:
        if currency:
            raise FileError("The file has a column currency: leave the option for it out.")
        return
    if not currency:
        default = Product._meta.get_field("currency").default
        sheet.notes.append(f"No currency is named: new products are in {default}.")
        return
    number = sheet.headers.index("price")
    rows = [[*row, Cell(Raw(currency), row[number].line, OPTION)] for row in sheet]
    sheet.become([*sheet.headers, "currency"], rows)
