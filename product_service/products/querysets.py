"""Changing many products at once."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError, models

if TYPE_CHECKING:
    from product_service.products.models import Product


class ProductQuerySet(models.QuerySet["Product"]):
    """Products, none of which is overwritten by accident."""

    def bulk_create(
        self, objs: Iterable["Product"], batch_size: int | None = None, **conflicts: Any
    ) -> list["Product"]:
        """As in Django, but for conflicts: a SKU that is taken is an error, never an overwrite.

        :raises NotSupportedError: for ``ignore_conflicts`` and ``update_conflicts``.
        """
        if any(conflicts.values()):
            raise NotSupportedError(
                "bulk_create() of products takes no conflicts: use update_or_create()"
            )
        return super().bulk_create(objs, batch_size)

    bulk_create.alters_data = True  # type: ignore[attr-defined]
