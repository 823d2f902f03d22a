"""Facts: what an event reports about a product. Subscriptions and message texts refer to them."""

from collections.abc import Sequence

from django.db import models
from django.utils.translation import gettext_lazy as _
from msgspec import UNSET

from common.contracts.product import Product, ProductCreated, ProductDeleted, ProductUpdated

SEPARATOR = ","


class Fact(models.TextChoices):
    """One thing that happened to a product."""

    CREATED = "created", _("new product")
    DELETED = "deleted", _("product deleted")
    PRICE_DROPPED = "price_dropped", _("price dropped")
    PRICE_RAISED = "price_raised", _("price raised")
    OUT_OF_STOCK = "out_of_stock", _("out of stock")
    BACK_IN_STOCK = "back_in_stock", _("back in stock")
    NEW_IN_CATEGORY = "new_in_category", _("new in category")
    CHANGED = "changed", _("something else changed")


def facts_of(product: Product) -> list[Fact]:
    """What happened, most significant first. Empty for a snapshot, which reports nothing new."""
    match product:
        case ProductCreated():
            return [Fact.CREATED, *([Fact.NEW_IN_CATEGORY] if product.category else [])]
        case ProductUpdated():
            return _changes(product)
        case ProductDeleted():
            return [Fact.DELETED]
    return []


def _changes(product: ProductUpdated) -> list[Fact]:
    previous = product.previous
    found: list[Fact] = []
    if previous.price is not UNSET and previous.currency is UNSET:
        is_less = product.price < previous.price
        found.append(Fact.PRICE_DROPPED if is_less else Fact.PRICE_RAISED)
    if previous.stock is not UNSET:
        if product.stock == 0:
            found.append(Fact.OUT_OF_STOCK)
        elif previous.stock == 0:
            found.append(Fact.BACK_IN_STOCK)
    if previous.category is not UNSET and product.category:
        found.append(Fact.NEW_IN_CATEGORY)
    covered = {"price", "stock"} if previous.currency is UNSET else {"stock"}
    if Fact.NEW_IN_CATEGORY in found:
        covered |= {"category"}
    if set(changed_fields(product)) - covered:
        found.append(Fact.CHANGED)
    return found


def changed_fields(product: ProductUpdated) -> list[str]:
    """The names of the fields that an update changed."""
    previous = product.previous
    return [name for name in previous.__struct_fields__ if getattr(previous, name) is not UNSET]


def to_text(facts: Sequence[str]) -> str:
    """Join facts for a column."""
    return SEPARATOR.join(facts)


def from_text(text: str) -> list[Fact]:
    """Parse facts from a column."""
    return [Fact(word) for word in text.split(SEPARATOR) if word]
