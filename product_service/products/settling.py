"""What the database makes of the values that it is given: what is published is what it holds."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from django.db import models
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Cast, Round

from eventbus.outbox.sequences import last_sequences

if TYPE_CHECKING:
    from product_service.products.models import Product

MANY = 500
"""Rows of one CASE: the database looks through it once for each row."""


def column(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    """The field of a model that has a column, by its name or by that of its column."""
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


def is_expression(value: Any) -> bool:
    """Whether the database computes the value."""
    return hasattr(value, "resolve_expression")


def as_stored(field: "models.Field[Any, Any]", value: Any) -> Any:
    """The value, or the expression for it, as the column will hold it."""
    if value is None or isinstance(value, DatabaseDefault):
        return value
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(field, models.DecimalField):
        if is_expression(value):
            # A float becomes a number too.
            exact = models.DecimalField(max_digits=30, decimal_places=10)
            return Round(Cast(value, exact), precision=field.decimal_places)
        # Plus zero: databases do not tell -0.00 from 0.00.
        return field.to_python(value).quantize(Decimal(1).scaleb(-field.decimal_places)) + 0
    return value if is_expression(value) else field.to_python(value)


def settle_inserted(products: Sequence["Product"], using: str) -> None:
    """Make products that were just inserted, and their rows, fit to be published.

    What the database computed is read, and keys that were used before continue their sequence. For
    rows with plain values and generated keys this asks the database nothing.
    """
    _read_computed([product for product in products if product.computed_fields], using)
    _continue_sequences([product for product in products if product.key_was_given], using)


def count_as_changed(products: Sequence["Product"], using: str) -> None:
    """Grow the versions of products above everything that was published of them.

    :param products: as their rows are, which this transaction has locked.
    """
    known = _known(products)
    for product in products:
        product.version = max(product.version, known.get(product.pk, 0)) + 1
    _write_versions(products, using)


def _read_computed(products: Sequence["Product"], using: str) -> None:
    if not products:
        return
    stored = _plain(products, using).in_bulk([product.pk for product in products])
    for product in products:
        for name in product.computed_fields:
            setattr(product, name, getattr(stored[product.pk], name))


def _continue_sequences(products: Sequence["Product"], using: str) -> None:
    """After the insert: by now, whoever deleted an earlier row of the same key has committed."""
    known = _known(products)
    reused = [product for product in products if product.pk in known]
    for product in reused:
        product.version = known[product.pk] + 1
    _write_versions(reused, using)


def _known(products: Sequence["Product"]) -> dict[int, int]:
    last = last_sequences("product", [str(product.pk) for product in products])
    return {int(subject): sequence for subject, sequence in last.items()}


def _write_versions(products: Sequence["Product"], using: str) -> None:
    if products:
        _plain(products, using).bulk_update(products, ["version"], batch_size=MANY)


def _plain(products: Sequence["Product"], using: str) -> "models.QuerySet[Product]":
    """A queryset of Django's own, which publishes nothing."""
    return models.QuerySet(type(products[0]), using=using)
