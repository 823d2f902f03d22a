from django.db import models


class Written(models.Model):
    """Written by the test handlers: one row per event."""

    subject = models.CharField(max_length=50)
    sequence = models.IntegerField()
    price = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"{self.subject}.{self.sequence}"


class Note(models.Model):
    """A row that must refer to a written one, which the database checks at COMMIT."""

    about = models.ForeignKey(Written, models.DO_NOTHING, null=True)
    subject = models.CharField(max_length=50)
    sequence = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.subject}.{self.sequence}"
