from django.db import models


class Parcel(models.Model):
    order_number = models.CharField(max_length=128)
    value = models.DecimalField(max_digits=12, decimal_places=2)
