"""The replica of the products, built from events only: the product service is never queried."""

import uuid_utils.compat
from django.db import models

new_id = uuid_utils.compat.uuid7
"""A UUIDv7 (RFC 9562), which sorts rows by the time they were written."""


class Product(models.Model):
    """The latest known state of a product. Deleted products are kept and marked.

    Its ``sequence`` only ever increases, in whatever order events arrive.
    """

    id = models.CharField(primary_key=True, max_length=255)
    sequence = models.BigIntegerField()
    name = models.CharField(max_length=500)
    category = models.CharField(max_length=255, blank=True, db_index=True)
    price = models.DecimalField(max_digits=30, decimal_places=6)
    currency = models.CharField(max_length=3)
    stock = models.BigIntegerField()
    is_deleted = models.BooleanField(default=False)

    class Meta:
        ordering = ["name", "id"]
        verbose_name = "product (replica)"
        verbose_name_plural = "products (replica)"

    def __str__(self) -> str:
        return self.name


class ProductEvent(models.Model):
    """An event of a product, kept for its deliveries and for previews."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    event_id = models.CharField(max_length=255)
    source = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    product_id = models.CharField(max_length=255)
    at = models.DateTimeField(db_index=True)
    facts = models.CharField(max_length=255, help_text="Reported facts, separated by commas.")
    data = models.TextField(help_text="The event's data as received, in JSON.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "source"], name="product_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.product_id}"
