"""What the models of outbox and inbox have in common: they live in the bus's database."""

from typing import Any, TypeVar

from django.db import models

from eventbus.database.alias import bus_alias

M = TypeVar("M", bound=models.Model)


class BusManager(models.Manager[M]):
    """Reads and writes in the bus's database, whatever routers say about other models."""

    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().using(self._db or bus_alias())


class BusModel(models.Model):
    """What outbox and inbox keep, each row in the bus's database."""

    objects = BusManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"  # foreign keys are followed by this one

    def save(self, **options: Any) -> None:
        """As in Django."""
        options["using"] = options.get("using") or bus_alias()
        super().save(**options)

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        """As in Django."""
        return super().delete(using=using or bus_alias(), keep_parents=keep_parents)
