"""Base classes of the outbox and inbox models, which live in the bus's database."""

from typing import Any, TypeVar

from django.db import models

from eventbus.database.alias import bus_alias

M = TypeVar("M", bound=models.Model)


class BusManager(models.Manager[M]):
    """Uses the bus's database, whatever the routers say."""

    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().using(self._db or bus_alias())


class BusModel(models.Model):
    """Base of the outbox and inbox models; rows are read and written in the bus's database."""

    objects = BusManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"  # used to follow foreign keys

    def save(self, **options: Any) -> None:
        """As in Django."""
        options["using"] = options.get("using") or bus_alias()
        super().save(**options)

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        """As in Django."""
        return super().delete(using=using or bus_alias(), keep_parents=keep_parents)
