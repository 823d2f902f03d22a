"""Products and their categories."""

from collections.abc import Iterable
from copy import copy
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, router, transaction
from django.utils import timezone
from iso4217 import Currency

from product_service.products.events import Data
from product_service.products.fields import (
    NormalCharField,
    NormalTextField,
    PriceField,
)
from product_service.products.querysets import ProductQuerySet
from product_service.products.settling import as_stored, column, is_expression

CURRENCIES = frozenset(currency.value for currency in Currency)


def validate_currency(code: str) -> None:
    """Accept the codes of ISO 4217, as its maintenance agency lists them."""
    if code not in CURRENCIES:
        raise ValidationError(f"{code!r} is not an ISO 4217 currency code, such as EUR.")


class CategoryQuerySet(models.QuerySet["Category"]):
    """Categories, whose products go with them and are told of all at once."""

    def delete(self) -> tuple[int, dict[str, int]]:
        """As in Django."""
        with transaction.atomic(using=self.db):
            products, kinds = Product.objects.filter(category__in=self.order_by()).delete()
            categories, other_kinds = super().delete()
        return products + categories, {**kinds, **other_kinds}

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class Category(models.Model):
    """A shelf. Its slug is what events and the API call it, so it is set once."""

    name = NormalCharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=100, unique=True)

    objects = CategoryQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return str(self.name)

    def save(self, **options: Any) -> None:
        """Save, but never under another slug: events that were sent name the old one."""
        stored = Category.objects.filter(pk=self.pk).exclude(slug=self.slug)
        if self.pk is not None and stored.exists():
            raise ValidationError({"slug": "The slug of a category cannot be changed."})
        super().save(**options)

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        """Delete the category and its products, which are told of all at once."""
        with transaction.atomic():
            products, kinds = self.products.all().delete()
            categories, other_kinds = super().delete(using=using, keep_parents=keep_parents)
        return products + categories, {**kinds, **other_kinds}


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
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False, db_index=True)

    objects = ProductQuerySet.as_manager()

    last: Data | None
    """While it is deleted: the fields of its event; None where somebody else was first."""

    class Meta:
        base_manager_name = "objects"  # category.products.add() takes this one
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
            self.prepare_to_save(using, options.get("update_fields"))
            if options.get("update_fields"):
                options["update_fields"] = {*self.saved_fields, "version", "updated_at"}
            elif self.key_was_given and not options.get("force_update"):
                options["force_insert"] = True  # an update could meet a row that was not locked
            super().save(**options)

    def prepare_to_save(self, using: str, update_fields: Iterable[str] | None = None) -> None:
        """Lock the row, look what it holds, and count the change."""
        self.before = self._lock(using)
        self.key_was_given = self.before is None and self.pk is not None
        self.saved_fields = self._fields_to_save(update_fields)
        self._settle_values(using)
        self._count_the_change()

    def be_new(self, now: datetime) -> None:
        """Become a first version, for what inserts without :meth:`save`."""
        self.before, self.saved_fields = None, list(self.CHANGEABLE)
        self.key_was_given = self.pk is not None
        self._settle_values(router.db_for_write(type(self), instance=self))
        self.version, self.created_at, self.updated_at = 1, now, now

    def changed_fields(self) -> list[str]:
        """The fields that this save writes and that differ from the row as it was before."""
        return [f for f in self.saved_fields if getattr(self, f) != getattr(self.before, f)]

    def as_stored(self) -> "Product":
        """The row as it is after this save: what ``update_fields`` left out is as it was."""
        stored = copy(self)
        for name in set(self.CHANGEABLE).difference(self.saved_fields):
            setattr(stored, name, getattr(self.before, name))
        return stored

    def event_data(self) -> Data:
        """The fields that its events have, as they are in this instance."""
        return {
            "id": self.pk,
            "sku": self.sku,
            "name": self.name,
            "description": self.description,
            "category": self.category.slug if self.category else None,
            "price": self.price,
            "currency": self.currency,
            "stock": self.stock,
            "is_active": self.is_active,
            "version": self.version,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }

    def _lock(self, using: str) -> "Product | None":
        if self.pk is None:
            return None
        return Product.objects.using(using).select_for_update().filter(pk=self.pk).first()

    def _fields_to_save(self, update_fields: Iterable[str] | None) -> list[str]:
        """As Django decides it: those that are named, else those that were loaded or set."""
        if self.before is None:
            return list(self.CHANGEABLE)
        if update_fields is None:
            return [f for f in self.CHANGEABLE if f not in self.get_deferred_fields()]
        named = {column(type(self), name).attname for name in update_fields}
        return [f for f in self.CHANGEABLE if f in named]

    def _settle_values(self, using: str) -> None:
        """Make the values in memory those that the database will hold.

        What it computes for a new row is known once that is inserted: ``computed_fields``.
        """
        values = {name: getattr(self, name) for name in self.saved_fields}
        self.computed_fields = [name for name, value in values.items() if is_expression(value)]
        if self.computed_fields and self.before is not None:
            expressions = {f"new_{name}": values[name] for name in self.computed_fields}
            found = Product.objects.using(using).filter(pk=self.pk).values(**expressions)
            row = cast("dict[str, Any]", found.get())
            values.update((name, row[f"new_{name}"]) for name in self.computed_fields)
            self.computed_fields = []
        for name, value in values.items():
            setattr(self, name, as_stored(column(type(self), name), value))

    def _count_the_change(self) -> None:
        now = timezone.now()
        if self.before is None:
            self.version, self.created_at, self.updated_at = 1, now, now
        else:
            changed = bool(self.changed_fields())
            self.version = self.before.version + changed
            self.created_at = self.before.created_at
            self.updated_at = now if changed else self.before.updated_at
