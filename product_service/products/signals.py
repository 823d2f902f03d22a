"""Each change of a product becomes an event, in the same transaction.

What changes many products at once sends no signals; the library publishes that.
"""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from eventbus.capture.orm import publish_deleted, publish_saved
from product_service.products.events import ProductEvents
from product_service.products.models import Product


@receiver(post_save, sender=Product)
def product_saved(instance: Product, **_: Any) -> None:
    """Publish a new product, or what changed in an old one; nothing if nothing did."""
    publish_saved(ProductEvents, instance)


@receiver(post_delete, sender=Product)
def product_deleted(instance: Product, **_: Any) -> None:
    """Publish the deletion, unless somebody else was first."""
    publish_deleted(ProductEvents, instance)
