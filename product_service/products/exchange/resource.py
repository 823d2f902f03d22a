"""The columns of products in files, and what importing a file does."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.text import slugify
from import_export import fields, resources, widgets
from import_export.instance_loaders import CachedInstanceLoader
from import_export.results import RowResult
from tablib import Dataset

from product_service.products.exchange import shopify
from product_service.products.models import Category, Product

COLUMNS = ("sku", "name", "description", "category", "price", "currency", "stock", "is_active")
REQUIRED = ("sku", "name", "price")


class CategoryBySlug(widgets.Widget):
    """A category as its slug; none where the cell is empty."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Category | None:
        if not value:
            return None
        category = Category.objects.filter(slug=str(value)).first()
        if category is None:
            raise ValueError(f"There is no category {value}. Create it first.")
        return category

    def render(self, value: Category | None, obj: Any = None, **kwargs: Any) -> str:
        return value.slug if value else ""


class Text(widgets.CharWidget):
    """A text; an empty cell of Excel is one too."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value)


class ExactDecimal(widgets.DecimalWidget):
    """A number as the file has it; Excel's floats are rounded to cents by the model's rules."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        if isinstance(value, float):
            value = f"{value:.2f}"
        try:
            return super().clean(value, row, **kwargs)
        except ArithmeticError:
            raise ValueError(f"{value} is not a number, such as 12.50.") from None


class ProductResource(resources.ModelResource):
    """Products by their SKU: those that are known are changed, the others are new.

    A file in Shopify's format is taken as well, and brings its categories along. A row that is
    wrong is named; then nothing of the file is imported.
    """

    name = fields.Field("name", "name", widget=Text())
    description = fields.Field("description", "description", widget=Text())
    category = fields.Field("category", "category", widget=CategoryBySlug())
    price = fields.Field("price", "price", widget=ExactDecimal())

    class Meta:
        model = Product
        fields = export_order = COLUMNS
        import_id_fields = ("sku",)
        instance_loader_class = CachedInstanceLoader
        clean_model_instances = True
        use_transactions = True
        skip_unchanged = True
        report_skipped = True

    @classmethod
    def get_display_name(cls) -> str:
        return "Products"

    def before_import(self, dataset: Dataset, **kwargs: Any) -> None:
        """Take Shopify's columns for ours, and see that all are there."""
        self._seen: set[str] = set()
        headers = dataset.headers or []
        if shopify.is_export(headers):
            self._convert(dataset, kwargs.get("currency"), kwargs.get("user"))
        elif missing := [name for name in REQUIRED if name not in headers]:
            raise ValidationError(f"The file has no column {', '.join(missing)}.")

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        """Refuse a SKU that stood in the file before."""
        row["sku"] = str(row["sku"]).strip() if row["sku"] is not None else ""
        if row["sku"] in self._seen:
            raise ValidationError({"sku": f"The SKU {row['sku']} stands in the file twice."})
        self._seen.add(row["sku"])

    def save_instance(
        self, instance: Product, is_create: bool, row: dict[str, Any], **kwargs: Any
    ) -> None:
        """Write a row, if who imports may do what it does."""
        refuse_unless_permitted(kwargs.get("user"), "add" if is_create else "change", Product)
        super().save_instance(instance, is_create, row, **kwargs)

    def after_import_row(self, row: dict[str, Any], row_result: RowResult, **kwargs: Any) -> None:
        on_row: Callable[[], None] | None = kwargs.get("on_row")
        if on_row:
            on_row()

    def _convert(self, dataset: Dataset, currency: str | None, user: Any) -> None:
        rows = list(shopify.variants(dataset.dict))
        extra = {"currency": currency} if currency else {}
        slugs = _categories({row["category"] for row in rows if row["category"]}, user)
        dataset.wipe()
        dataset.dict = [
            {**row, **extra, "category": slugs.get(row["category"], "")} for row in rows
        ]


def refuse_unless_permitted(user: Any, verb: str, model: type[Model]) -> None:
    """See that who imports may do what a row does.

    :param user: None where an operator imports by a command, who may do everything.
    :param verb: ``add`` or ``change``.
    :raises ValidationError: where the user lacks that permission.
    """
    permission = f"{model._meta.app_label}.{verb}_{model._meta.model_name}"
    if user is not None and not user.has_perm(permission):
        raise ValidationError(f"You may not {verb} {model._meta.verbose_name_plural}.")


def _categories(names: set[str], user: Any) -> dict[str, str]:
    """The slugs of categories by name; those that are missing are created."""
    slugs = {}
    for name in sorted(names):
        category = Category.objects.filter(name=name).first()
        if category is None:
            refuse_unless_permitted(user, "add", Category)
            slug = slugify(name) or "category"
            category, _ = Category.objects.get_or_create(slug=slug, defaults={"name": name})
        slugs[name] = category.slug
    return slugs
