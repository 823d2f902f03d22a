"""The models that the guides' code works with."""

from django.db import models


class Order(models.Model):
    total = models.DecimalField(max_digits=10, decimal_places=2)
    version = models.PositiveIntegerField(default=1)


class Invoice(models.Model):
    order_id = models.BigIntegerField(unique=True)
    total = models.DecimalField(max_digits=10, decimal_places=2)


class Entry(models.Model):
    type = models.CharField(max_length=100)
    subject = models.CharField(max_length=100)


class Alert(models.Model):
    order_id = models.BigIntegerField()


class Picking(models.Model):
    order_id = models.BigIntegerField()
    shelf = models.CharField(max_length=20)
