"""Changing many products at once, in a number of queries that does not grow with them.

Django sends no signals for most of this, so the events are published here, in the same transaction.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import NotSupportedError, models, transaction
from django.db.models import DecimalField, F
from django.db.models.functions import Cast, Round
from django.utils import timezone

from common import outbox
from product_service.products import events

BATCH = 5_000

Change = tuple["models.Model", "models.Model", list[str]]
"""A product before and after, and the fields that differ."""


class ProductQuerySet(models.QuerySet):
    """Products, whose changes are all told.

    The rows that a call changes are in memory while it works.
    """

    def update(self, **values: Any) -> int:
        """As in Django. Each row that really changes grows by one version.

        :raises ValueError: for fields that nobody sets, such as ``version``.
        """
        self._refuse_slices("update")
        new = {self.model._meta.get_field(name).attname: value for name, value in values.items()}
        if unchangeable := sorted(set(new).difference(self.model.CHANGEABLE)):
            raise ValueError(f"update() of products cannot set {', '.join(unchangeable)}")
        new = {name: _as_stored(self.model._meta.get_field(name), v) for name, v in new.items()}
        with transaction.atomic(using=self.db):
            rows = self._lock({n: v for n, v in new.items() if _is_expression(v)})
            now = timezone.now()
            changes = [change for row in rows if (change := _change(row, new, now))]
            self._write(changes, {**new, "version": F("version") + 1, "updated_at": now})
            if "category_id" in new:
                models.prefetch_related_objects([after for _, after, _ in changes], "category")
            outbox.publish_all(events.updated(*change) for change in changes)
        return len(rows)

    update.alters_data = True

    def bulk_create(
        self, objs: Iterable[Any], batch_size: int | None = None, **conflicts: Any
    ) -> list[Any]:
        """As in Django, but for conflicts: which rows are new could not be told then.

        :raises NotSupportedError: for ``ignore_conflicts`` and ``update_conflicts``.
        """
        if any(conflicts.values()):
            raise NotSupportedError(
                "bulk_create() of products takes no conflicts: use update_or_create()"
            )
        products = list(objs)
        now = timezone.now()
        for product in products:
            product.be_new(now)
        with transaction.atomic(using=self.db):
            super().bulk_create(products, batch_size)
            models.prefetch_related_objects(products, "category")
            outbox.publish_all(map(events.created, products))
        return products

    bulk_create.alters_data = True

    def delete(self) -> tuple[int, dict[str, int]]:
        """As in Django."""
        self._refuse_slices("delete")
        total: Counter[str] = Counter()
        with transaction.atomic(using=self.db):
            gone = self._lock({})
            outbox.publish_all(events.deleted(product, product.pk) for product in gone)
            for some in _batches([product.pk for product in gone]):
                rows = self._plain().filter(pk__in=some)
                rows.deletion_is_told = True  # to the signals, as their origin
                total.update(rows.delete()[1])
        return total.total(), dict(total)

    delete.alters_data = True
    delete.queryset_only = True

    def _lock(self, expressions: dict[str, Any]) -> list[Any]:
        """The rows, locked until the transaction ends; expressions are evaluated as ``new_...``."""
        rows = self
        if self.query.distinct:  # PostgreSQL locks no such rows
            rows = self.model.objects.using(self.db).filter(pk__in=self.order_by().values("pk"))
        computed = {f"new_{name}": expression for name, expression in expressions.items()}
        locked = rows.annotate(**computed).select_for_update(of=["self"])
        return list(locked.select_related("category").order_by("pk"))

    def _write(self, changes: Sequence[Change], values: dict[str, Any]) -> None:
        # Annotations are kept, for expressions may name them; filters are not, for writing some of
        # the rows may change what they find.
        rows = self if self.query.annotations else self._plain()
        for some in _batches([after.pk for _, after, _ in changes]):
            models.QuerySet.update(rows.order_by().filter(pk__in=some), **values)

    def _plain(self) -> models.QuerySet:
        """A queryset of Django's own, which tells nobody."""
        return models.QuerySet(self.model, using=self.db)

    def _refuse_slices(self, what: str) -> None:
        if self.query.is_sliced or self.query.combinator:
            raise TypeError(f"{what}() needs a queryset without limit, offset or union")


def _change(before: Any, new: dict[str, Any], now: datetime) -> Change | None:
    """What becomes of a row, or None if nothing does."""
    values = {name: _computed(before, name, value) for name, value in new.items()}
    changed = [name for name, value in values.items() if value != getattr(before, name)]
    if not changed:
        return None
    after = copy(before)
    for name in changed:
        setattr(after, name, values[name])
    after.version, after.updated_at = before.version + 1, now
    return before, after, changed


def _computed(row: Any, name: str, value: Any) -> Any:
    """The value, or what the database made of the expression for it."""
    if not _is_expression(value):
        return value
    return _as_stored(row._meta.get_field(name), getattr(row, f"new_{name}"))


def _as_stored(field: models.Field, value: Any) -> Any:
    """The value, or the expression for it, as the column will hold it."""
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(field, DecimalField):
        if _is_expression(value):
            exact = DecimalField(max_digits=30, decimal_places=10)  # a float becomes a number too
            return Round(Cast(value, exact), precision=field.decimal_places)
        return field.to_python(value).quantize(Decimal(1).scaleb(-field.decimal_places))
    return value if _is_expression(value) else field.to_python(value)


def _is_expression(value: Any) -> bool:
    return hasattr(value, "resolve_expression")


def _batches(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
