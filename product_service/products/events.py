"""The events of products: what is told of which change."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from common.contracts.product import (
    PreviousValues,
    ProductCreated,
    ProductDeleted,
    ProductUpdated,
)

if TYPE_CHECKING:
    from product_service.products.models import Product


def created(product: "Product") -> ProductCreated:
    """A new product, as it is stored."""
    return ProductCreated(**product_data(product))


def updated(before: "Product", after: "Product", changed: Iterable[str]) -> ProductUpdated:
    """A product that changed.

    :param changed: attribute names of the fields that differ, such as ``category_id``.
    """
    old = product_data(before)
    names = [field.removesuffix("_id") for field in changed]
    previous = PreviousValues(**{name: old[name] for name in names})
    return ProductUpdated(**product_data(after), previous=previous)


def deleted(last: "Product", product_id: int) -> ProductDeleted:
    """A product that is gone.

    :param last: the product as it was last; the row may be gone already, and the id with it.
    """
    return ProductDeleted(**{**product_data(last), "id": product_id})


def product_data(product: "Product") -> dict[str, Any]:
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
