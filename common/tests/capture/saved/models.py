"""Models whose changes Django's ORM notices."""

import uuid
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Aisle(models.Model):
    """Leads to a slug that never changes."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=20, default="")

    def __str__(self) -> str:
        return self.slug


class Label(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class WareQuerySet(models.QuerySet["Ware"]):
    """Sets further columns with each update, as projects do."""

    def update(self, **values: Any) -> int:
        return super().update(**{**values, "secret": "updated", "extra": {"updated": True}})

    def cheap(self) -> "WareQuerySet":
        return self.filter(price__lt=2)


class CheapManager(models.Manager["Ware"]):
    """Builds a queryset of its own."""

    def get_queryset(self) -> WareQuerySet:
        return WareQuerySet(self.model, using=self._db).cheap()


class Ware(models.Model):
    """Counted by the outbox; has managers of each kind."""

    sku = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    amount = models.IntegerField(default=0)
    shelf = models.ForeignKey(Aisle, models.SET_NULL, null=True)
    extra = models.JSONField(default=dict)
    secret = models.CharField(max_length=50, default="")
    labels = models.ManyToManyField(Label)
    remarks = GenericRelation("saved.Remark", content_type_field="about")

    objects = models.Manager()
    own = WareQuerySet.as_manager()
    cheap = CheapManager()

    def __str__(self) -> str:
        return self.sku


class ProxyOfWare(Ware):
    class Meta:
        proxy = True


class Counted(models.Model):
    """Has a counter and a time of its own, as the products have."""

    sku = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    amount = models.IntegerField(default=0)
    shelf = models.ForeignKey(Aisle, models.CASCADE, null=True)
    version = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.sku


class Remark(models.Model):
    """About anything; its key is a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    about = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    target = GenericForeignKey("about", "object_id")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text


class CountryManager(models.Manager["Country"]):
    use_in_migrations = True


class Country(models.Model):
    """Its key is a text."""

    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=50)

    objects = CountryManager()

    def __str__(self) -> str:
        return self.code


def forget(collector: Any, field: Any, rows: Any, using: str) -> None:
    """Set a foreign key to NULL in rows that are in memory, as a project's own rule may."""
    collector.add_field_update(field, None, list(rows))


class Member(models.Model):
    """Its subject is not its primary key."""

    number = models.UUIDField(unique=True, default=uuid.uuid4)
    name = models.CharField(max_length=50)
    country = models.ForeignKey(Country, models.SET_DEFAULT, default="NL")
    born_in = models.ForeignKey(Country, forget, null=True, related_name="natives")

    def __str__(self) -> str:
        return self.name


class Place(models.Model):
    name = models.CharField(max_length=50)
    city = models.CharField(max_length=50, default="")

    def __str__(self) -> str:
        return self.name


class Restaurant(Place):
    """Has a table of its own beside that of its parent."""

    stars = models.IntegerField(default=0)
