"""Each change of a product becomes an event, in the same transaction.

What changes many products at once sends no signals; ``querysets.py`` tells of that.
"""

from typing import Any, cast

from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver

from eventbus import outbox
from product_service.products import events
from product_service.products.models import Product
from product_service.products.settling import settle_inserted


@receiver(pre_save, sender=Product)
def product_about_to_be_loaded(instance: Product, raw: bool, using: str, **_: Any) -> None:
    """``loaddata`` saves without :meth:`Product.save`: do what that would do."""
    if raw:
        instance.prepare_to_save(using)


@receiver(post_save, sender=Product)
def product_saved(instance: Product, created: bool, using: str, **_: Any) -> None:
    """Tell of a new product, or of what changed in an old one; of nothing if nothing did."""
    if created:
        settle_inserted([instance], using)
        outbox.publish(events.created(instance.event_data()), using=using)
    elif changed := instance.changed_fields():
        before = cast(Product, instance.before)  # it is no new one
        old, new = before.event_data(), instance.as_stored().event_data()
        outbox.publish(events.updated(old, new, changed), using=using)


@receiver(pre_delete, sender=Product)
def product_about_to_go(instance: Product, using: str, origin: Any, **_: Any) -> None:
    """Lock the row, and take it as it is now: the instance may be older."""
    instance.last = None
    if getattr(origin, "deletion_is_told", False):
        return
    rows = Product.objects.using(using).select_for_update(of=["self"]).select_related("category")
    if row := rows.filter(pk=instance.pk).first():
        instance.last = row.event_data()


@receiver(post_delete, sender=Product)
def product_gone(instance: Product, using: str, **_: Any) -> None:
    """Tell of the deletion, unless somebody else was first."""
    if instance.last is not None:
        outbox.publish(events.deleted(instance.last), using=using)
