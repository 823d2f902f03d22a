"""The events of products: what is told of which change."""

from collections.abc import Iterable
from typing import Any

from common.contracts.product import (
    PreviousValues,
    ProductCreated,
    ProductDeleted,
    ProductSnapshot,
    ProductUpdated,
)

Data = dict[str, Any]
"""The fields of an event."""


def created(new: Data) -> ProductCreated:
    """A new product, as it is stored."""
    return ProductCreated(**new)


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


def snapshot(current: Data) -> ProductSnapshot:
    """A product as it is, whatever was published before."""
    return ProductSnapshot(**current)
