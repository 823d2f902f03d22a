"""Changing many products at once, in a number of queries that does not grow with them.

Django sends no signals for most of this, so the events are published here, in the same transaction.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import NotSupportedError, connections, models, transaction
from django.db.models import F
from django.utils import timezone

from common.contracts.product import ProductUpdated
from eventbus import outbox
from eventbus.database.bulk import among
from product_service.products import events
from product_service.products.settling import as_stored, is_expression, settle_inserted

BATCH = 5_000
KEPT = ("version", "created_at")

ProductValues = dict[str, Any]
"""A product as its columns hold it."""


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
        new = {name: as_stored(self.model._meta.get_field(name), v) for name, v in new.items()}
        with transaction.atomic(using=self.db):
            rows = self._lock()
            now = timezone.now()
            counting = {"version": F("version") + 1, "updated_at": now}
            if any(map(is_expression, new.values())):
                pairs = self._compute(rows, new)
                written = counting
            else:
                pairs = [(row, {**row, **new}) for row in rows]
                written = {**new, **counting}
            changes = [(row, after) for row, after in pairs if after != row]
            self._write(changes, written)
            slugs = self._slugs(row for change in changes for row in change)
            outbox.publish_all(_updated(*change, slugs, now) for change in changes)
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
            settle_inserted(products, self.db)
            models.prefetch_related_objects(products, "category")
            outbox.publish_all(map(events.created, products))
        return products

    bulk_create.alters_data = True

    def delete(self) -> tuple[int, dict[str, int]]:
        """As in Django."""
        self._refuse_slices("delete")
        total: Counter[str] = Counter()
        with transaction.atomic(using=self.db):
            gone = self._lock("updated_at")
            slugs = self._slugs(gone)
            outbox.publish_all(events.deleted(_data(row, slugs)) for row in gone)
            for some in _batches([row["id"] for row in gone]):
                rows = self._plain().filter(pk__in=some)
                rows.deletion_is_told = True  # to the signals, as their origin
                total.update(rows.delete()[1])
        return total.total(), dict(total)

    delete.alters_data = True
    delete.queryset_only = True

    def _lock(self, *further: str) -> list[ProductValues]:
        """The rows, locked until the transaction ends.

        :param further: columns beside those that can change. Reading a time that is then not
            told of costs more than the rest of its row.
        """
        rows = self.order_by("pk")
        if self.query.distinct or self._has_joins():
            rows = rows.filter(pk__in=self._lock_first())
        else:
            rows = rows.select_for_update()
        return list(rows.values("id", *self.model.CHANGEABLE, *KEPT, *further))

    def _lock_first(self) -> list[int]:
        """Lock rows that PostgreSQL does not lock and return in the form we want.

        Of joined rows Django locks the product alone only where it makes instances.
        """
        rows = self
        if self.query.distinct:
            rows = self._plain().filter(pk__in=self.order_by().values("pk"))
        locked = rows.select_for_update(of=("self",)).only("pk").order_by("pk")
        return [product.pk for product in locked]

    def _has_joins(self) -> bool:
        return sum(map(bool, self.query.alias_refcount.values())) > 1

    def _compute(
        self, rows: Sequence[ProductValues], new: dict[str, Any]
    ) -> list[tuple[ProductValues, ProductValues]]:
        """Write expressions into the rows, and read what they came to.

        An expression such as RANDOM() comes to something else each time, so it is evaluated once,
        by the statement that writes it.

        :returns: each row as it was and as it is.
        """
        chosen = self._among(row["id"] for row in rows)
        # Annotations are kept, for expressions may name them.
        written = self if self.query.annotations else self._plain()
        models.QuerySet.update(written.order_by().filter(pk__in=chosen), **new)
        found = self._plain().filter(pk__in=chosen).values("id", *self.model.CHANGEABLE, *KEPT)
        by_id = {row["id"]: row for row in found}
        return [(row, by_id[row["id"]]) for row in rows]

    def _write(
        self, changes: Sequence[tuple[ProductValues, ProductValues]], values: dict[str, Any]
    ) -> None:
        """Write into the rows that changed, by their keys: writing may change what filters find."""
        if changes:
            chosen = self._among(row["id"] for row, _ in changes)
            self._plain().filter(pk__in=chosen).update(**values)

    def _among(self, keys: Iterable[int]) -> Any:
        return among(list(keys), connections[self.db])

    def _slugs(self, rows: Iterable[ProductValues]) -> dict[int, str]:
        """The slugs of the rows' categories by id."""
        categories = self.model._meta.get_field("category").related_model.objects.using(self.db)
        ids = {row["category_id"] for row in rows}.difference([None])
        return dict(categories.filter(pk__in=ids).values_list("pk", "slug")) if ids else {}

    def _plain(self) -> models.QuerySet:
        """A queryset of Django's own, which tells nobody."""
        return models.QuerySet(self.model, using=self.db)

    def _refuse_slices(self, what: str) -> None:
        if self.query.is_sliced or self.query.combinator:
            raise TypeError(f"{what}() needs a queryset without limit, offset or union")


def _updated(
    before: ProductValues, after: ProductValues, slugs: dict[int, str], now: datetime
) -> ProductUpdated:
    """The event of a row that changed, which has ``after`` except for what counts changes."""
    changed = [name for name, value in after.items() if value != before[name]]
    old = _data(before, slugs)
    new = {**_data(after, slugs), "version": before["version"] + 1, "updated_at": now}
    return events.updated(old, new, changed)


def _data(row: ProductValues, slugs: dict[int, str]) -> events.Data:
    data = row.copy()
    data["category"] = slugs.get(data.pop("category_id"))
    return data


def _batches(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
