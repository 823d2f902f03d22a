"""The events of products: what is told of which change."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from common.contracts.product import (
    PreviousValues,
    ProductCreated,
    ProductDeleted,
    ProductSnapshot,
    ProductUpdated,
)

if TYPE_CHECKING:
    from product_service.products.models import Product

Data = dict[str, Any]
"""The fields of an event."""


def created(product: "Product") -> ProductCreated:
    """A new product, as it is stored."""
    return ProductCreated(**product_data(product))


def updated(old: Data, new: Data, changed: Iterable[str]) -> ProductUpdated:
    """A product that changed.

    :param changed: names of the columns that differ, such as ``category_id``.
    """
    names = (column.removesuffix("_id") for column in changed)
    previous = PreviousValues(**{name: old[name] for name in names})
    return ProductUpdated(**new, previous=previous)


def deleted(last: Data) -> ProductDeleted:
    """A product that is gone, as it was last."""
    return ProductDeleted(**last)


def snapshot(product: "Product") -> ProductSnapshot:
    """A product as it is, whatever was published before."""
    return ProductSnapshot(**product_data(product))


def product_data(product: "Product") -> Data:
    """The fields of an event, from a product."""
    return {
        "id": product.pk,
        "sku": product.sku,
        "name": product.name,
        "description": product.description,
        "category": product.category.slug if product.category else None,
        "price": product.price,
        "currency": product.currency,
        "stock": product.stock,
        "is_active": product.is_active,
        "version": product.version,
        "created_at": product.created_at,
        "updated_at": product.updated_at,
    }
