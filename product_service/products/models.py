"""Products and their categories."""

from collections.abc import Collection, Iterable
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import NotSupportedError, models
from iso4217 import Currency

from product_service.products.fields import (
    NormalCharField,
    NormalTextField,
    PriceField,
)

CURRENCIES = frozenset(currency.value for currency in Currency)


def validate_currency(code: str) -> None:
    """Accept the codes of ISO 4217, as its maintenance agency lists them."""
    if code not in CURRENCIES:
        raise ValidationError(f"{code!r} is not an ISO 4217 currency code, such as EUR.")


class Category(models.Model):
    """A shelf. Its slug is what events and the API call it, so it is set once."""

    name = NormalCharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=100, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return str(self.name)


class ProductQuerySet(models.QuerySet["Product"]):
    """Products, none of which is overwritten by accident."""

    def bulk_create(  # noqa: PLR0917  as in Django
        self,
        objs: Iterable["Product"],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list["Product"]:
        """As in Django, but for conflicts: a SKU that is taken is an error, never an overwrite.

        :raises NotSupportedError: for ``ignore_conflicts`` and ``update_conflicts``.
        """
        if ignore_conflicts or update_conflicts or update_fields or unique_fields:
            raise NotSupportedError(
                "bulk_create() of products takes no conflicts: use update_or_create()"
            )
        return super().bulk_create(objs, batch_size)

    bulk_create.alters_data = True  # type: ignore[attr-defined]


class Product(models.Model):
    """A product. Each change of it grows ``version`` by one and publishes one event."""

    sku = NormalCharField("SKU", max_length=64, unique=True)
    name = NormalCharField(max_length=200)
    description = NormalTextField(blank=True, max_length=20_000)
    category = models.ForeignKey(
        Category, null=True, blank=True, on_delete=models.CASCADE, related_name="products"
    )
    price = PriceField(validators=[MinValueValidator(Decimal(0))])
    currency = NormalCharField(
        max_length=3, default="EUR", validators=[validate_currency], help_text="ISO 4217, as EUR"
    )
    stock = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField("active", default=True)
    version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(editable=False, db_index=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_not_negative"),
            models.CheckConstraint(condition=models.Q(stock__gte=0), name="stock_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"
