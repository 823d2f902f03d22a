"""Each change of a product becomes an event, in the same transaction."""

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver

from common import outbox
from common.contracts.product import (
    PreviousValues,
    ProductCreated,
    ProductDeleted,
    ProductUpdated,
)
from product_service.products.models import Product


@receiver(post_save, sender=Product)
def product_saved(instance: Product, created: bool, raw: bool, **_: Any) -> None:
    """Tell of a new product, or of what changed in an old one; of nothing if nothing did."""
    if raw:
        return
    if created:
        outbox.publish(ProductCreated(**product_data(instance)))
    elif instance.changed_fields():
        previous = PreviousValues(**previous_values(instance))
        outbox.publish(ProductUpdated(**product_data(instance.as_stored()), previous=previous))


@receiver(pre_delete, sender=Product)
def product_about_to_go(instance: Product, using: str, **_: Any) -> None:
    """Lock the row, and take it as it is now: the instance may be older."""
    rows = Product.objects.using(using).select_for_update(of=["self"]).select_related("category")
    instance.last = rows.filter(pk=instance.pk).first()


@receiver(post_delete, sender=Product)
def product_gone(instance: Product, **_: Any) -> None:
    """Tell of the deletion, unless somebody else was first."""
    if instance.last is not None:
        outbox.publish(ProductDeleted(**{**product_data(instance.last), "id": instance.last.pk}))


def product_data(product: Product) -> dict[str, Any]:
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


def previous_values(product: Product) -> dict[str, Any]:
    """The old values of the changed fields and of nothing else."""
    before = product_data(product.before)
    return {name: before[name] for name in map(_public_name, product.changed_fields())}


def _public_name(field: str) -> str:
    return field.removesuffix("_id")
