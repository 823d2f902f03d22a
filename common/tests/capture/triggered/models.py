"""Models whose changes triggers publish."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models

IS_POSTGRESQL = "postgres" in settings.DATABASES["default"]["ENGINE"]


class Shelf(models.Model):
    """Leads to a slug that never changes."""

    slug = models.SlugField(unique=True)

    def __str__(self) -> str:
        return self.slug


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    """Has a counter and a time of its own."""

    sku = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    amount = models.IntegerField(default=0)
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True)
    secret = models.CharField(max_length=50, default="")
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(auto_now=True)
    tags = models.ManyToManyField(Tag)

    def __str__(self) -> str:
        return self.sku


class Piece(models.Model):
    """Is counted by the outbox."""

    sku = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    amount = models.IntegerField(default=0)
    shelf = models.ForeignKey(Shelf, models.SET_NULL, null=True)

    def __str__(self) -> str:
        return self.sku


class Thing(models.Model):
    """Has a field of each kind, and a key that is not its primary key."""

    code = models.UUIDField(default=uuid.uuid4, unique=True)
    text = models.TextField(default="")
    count = models.PositiveIntegerField(null=True)
    flag = models.BooleanField(default=False)
    price = models.DecimalField(max_digits=12, decimal_places=3, null=True)
    ratio = models.FloatField(null=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    hour = models.TimeField(null=True)
    length = models.DurationField(null=True)
    other = models.UUIDField(null=True)
    extra = models.JSONField(null=True)
    raw = models.BinaryField(null=True)
    address = models.GenericIPAddressField(null=True)
    picture = models.FileField(default="")
    about = models.ForeignKey(ContentType, models.CASCADE, null=True)
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True)

    def __str__(self) -> str:
        return str(self.code)


class Line(models.Model):
    """Belongs to an item, and goes with it."""

    item = models.ForeignKey(Item, models.CASCADE)
    quoted = models.CharField(db_column="user's order", max_length=20, default="")

    class Meta:
        db_table = "triggered: line"

    def __str__(self) -> str:
        return str(self.pk)


if IS_POSTGRESQL:
    from django.contrib.postgres.fields import ArrayField

    array: Any = ArrayField

    class Grid(models.Model):
        """Holds arrays, which PostgreSQL alone has."""

        numbers = array(models.IntegerField(), default=list)
        names = array(models.CharField(max_length=20), null=True)
        prices = array(array(models.DecimalField(max_digits=6, decimal_places=2)), default=list)

        def __str__(self) -> str:
            return str(self.pk)
