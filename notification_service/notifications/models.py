"""What people are told."""

from django.db import models


class Notification(models.Model):
    """One thing about one product that a person would care about."""

    class Kind(models.TextChoices):
        CREATED = "created", "new product"
        PRICE_CHANGED = "price_changed", "price changed"
        OUT_OF_STOCK = "out_of_stock", "out of stock"
        BACK_IN_STOCK = "back_in_stock", "back in stock"
        DELETED = "deleted", "product deleted"

    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    product_id = models.CharField(max_length=255, db_index=True)
    text = models.CharField(max_length=500)
    old_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    new_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "kind"], name="notification_once")
        ]

    def __str__(self) -> str:
        return self.text
