"""Changing many products at once, in a number of queries that does not grow with them.

Django sends no signals for most of this, so the events are published here, in the same transaction.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from django.db import NotSupportedError, connections, models, transaction
from django.db.models import F
from django.utils import timezone

from common.contracts.product import ProductUpdated
from eventbus import outbox
from eventbus.database.bulk import among
from product_service.products import events
from product_service.products.settling import as_stored, column, is_expression, settle_inserted

if TYPE_CHECKING:
    from product_service.products.models import Category, Product

BATCH = 5_000
KEPT = ("version", "created_at")

ProductValues = dict[str, Any]
"""A product as its columns hold it."""


class ProductQuerySet(models.QuerySet["Product"]):
    """Products, whose changes are all told.

    The rows that a call changes are in memory while it works.
    """

    def update(self, **values: Any) -> int:
        """As in Django. Each row that really changes grows by one version.

        :raises ValueError: for fields that nobody sets, such as ``version``.
        """
        self._refuse_slices("update")
        new = {column(self.model, name).attname: value for name, value in values.items()}
        if unchangeable := sorted(set(new).difference(self.model.CHANGEABLE)):
            raise ValueError(f"update() of products cannot set {', '.join(unchangeable)}")
        new = {name: as_stored(column(self.model, name), v) for name, v in new.items()}
        self._for_write = True
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
            told = [_updated(*change, slugs, now) for change in changes]
            outbox.publish_all(told, using=self.db)
        return len(rows)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(  # noqa: PLR0917  as in Django
        self,
        objs: Iterable["Product"],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list["Product"]:
        """As in Django, but for conflicts: which rows are new could not be told then.

        :raises NotSupportedError: for ``ignore_conflicts`` and ``update_conflicts``.
        """
        if ignore_conflicts or update_conflicts or update_fields or unique_fields:
            raise NotSupportedError(
                "bulk_create() of products takes no conflicts: use update_or_create()"
            )
        products = list(objs)
        now = timezone.now()
        for product in products:
            product.be_new(now)
        self._for_write = True
        with transaction.atomic(using=self.db):
            super().bulk_create(products, batch_size)
            settle_inserted(products, self.db)
            models.prefetch_related_objects(products, "category")
            created = [events.created(product.event_data()) for product in products]
            outbox.publish_all(created, using=self.db)
        return products

    bulk_create.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        """As in Django."""
        self._refuse_slices("delete")
        total: Counter[str] = Counter()
        self._for_write = True
        with transaction.atomic(using=self.db):
            gone = self._lock("updated_at")
            slugs = self._slugs(gone)
            told = [events.deleted(_data(row, slugs)) for row in gone]
            outbox.publish_all(told, using=self.db)
            for some in _batches([row["id"] for row in gone]):
                rows = self._plain().filter(pk__in=some)
                # To the signals, as their origin.
                rows.deletion_is_told = True  # type: ignore[attr-defined]
                total.update(rows.delete()[1])
        return total.total(), dict(total)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

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
        rows: models.QuerySet[Product] = self
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
        shelf = cast("type[Category]", column(self.model, "category").related_model)
        categories = shelf.objects.using(self.db)
        ids = {row["category_id"] for row in rows}.difference([None])
        return dict(categories.filter(pk__in=ids).values_list("pk", "slug")) if ids else {}

    def _plain(self) -> models.QuerySet["Product"]:
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
