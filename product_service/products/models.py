"""Products and their categories."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, router, transaction
from django.utils import timezone
from iso4217 import Currency

CENT = Decimal("0.01")
CURRENCIES = frozenset(currency.value for currency in Currency)


def validate_currency(code: str) -> None:
    """Accept the codes of ISO 4217, as its maintenance agency lists them."""
    if code not in CURRENCIES:
        raise ValidationError(f"{code!r} is not an ISO 4217 currency code, such as EUR.")


class Category(models.Model):
    """A shelf. Its slug is what events and the API call it, so it is set once."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=100, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """A product. Each change of it grows ``version`` by one and publishes one event."""

    CHANGEABLE = (
        "sku",
        "name",
        "description",
        "category_id",
        "price",
        "currency",
        "stock",
        "is_active",
    )

    sku = models.CharField("SKU", max_length=64, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=20_000)
    category = models.ForeignKey(
        Category, null=True, blank=True, on_delete=models.CASCADE, related_name="products"
    )
    price = models.DecimalField(
        max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal(0))]
    )
    currency = models.CharField(
        max_length=3, default="EUR", validators=[validate_currency], help_text="ISO 4217, as EUR"
    )
    stock = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField("active", default=True)
    version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False, db_index=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_not_negative"),
            models.CheckConstraint(condition=models.Q(stock__gte=0), name="stock_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"

    def save(self, **options: Any) -> None:
        """Save under a lock of the row, so that version and previous values are true."""
        using = options.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            self.before = self._lock(using)
            self._settle_values(using)
            if self.before is None or self.changed_fields():
                now = timezone.now()
                self.created_at = self.before.created_at if self.before else now
                self.updated_at = now
                self.version = self.before.version + 1 if self.before else 1
            else:
                self.version, self.updated_at = self.before.version, self.before.updated_at
            if options.get("update_fields") is not None:
                options["update_fields"] = {*options["update_fields"], "version", "updated_at"}
            super().save(**options)

    def changed_fields(self) -> list[str]:
        """The fields in which this product differs from the row as it was before saving."""
        return [f for f in self.CHANGEABLE if getattr(self, f) != getattr(self.before, f)]

    def _lock(self, using: str) -> "Product | None":
        if self.pk is None:
            return None
        return Product.objects.using(using).select_for_update().filter(pk=self.pk).first()

    def _settle_values(self, using: str) -> None:
        """Make the values in memory those that the database will hold."""
        expressions = {
            f: getattr(self, f)
            for f in self.CHANGEABLE
            if hasattr(getattr(self, f), "resolve_expression")
        }
        if expressions and self.before is not None:
            row = Product.objects.using(using).filter(pk=self.pk)
            [values] = row.values_list(*expressions.values())
            for name, value in zip(expressions, values, strict=True):
                setattr(self, name, value)
        for name in self.CHANGEABLE:
            setattr(self, name, self._meta.get_field(name).to_python(getattr(self, name)))
        self.price = Decimal(self.price).quantize(CENT)
