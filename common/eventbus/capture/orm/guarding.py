"""Columns behind a foreign key that were declared never to change: changes of them are refused."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.signals import pre_save

from eventbus.capture import registry
from eventbus.capture.fields import Column
from eventbus.capture.orm.rows.reading import plain


@cache
def guarded() -> dict[Column, str]:
    """The columns, with the names of the events that rely on them."""
    return {
        field.beyond: publication.event
        for publication in registry.publications()
        for field in publication.fields
        if field.beyond is not None
    }


def guarded_models() -> list[type[models.Model]]:
    """The models that have such columns."""
    return list(dict.fromkeys(column.model for column in guarded()))


def refuse_update(model: type[models.Model], columns: Iterable[Column]) -> None:
    """Refuse an ``update()`` of such a column.

    :raises ValidationError: when one is among them.
    """
    known = guarded()
    for column in columns:
        if column in known:
            raise _refusal(column, known[column])


def refuse_save(instance: models.Model, using: str, **_: Any) -> None:
    """Refuse to save an instance with another value of such a column: receives ``pre_save``.

    :raises ValidationError: then.
    """
    if instance.pk is None:
        return
    deferred = instance.get_deferred_fields()
    for column, event in guarded().items():
        if not isinstance(instance, column.model) or column.attname in deferred:
            continue
        stored = plain(column.model, using).filter(pk=instance.pk)
        value = getattr(instance, column.attname)
        if stored.exclude(**{column.attname: value}).exists():
            raise _refusal(column, event)


def guard(model: type[models.Model]) -> None:
    """Have :func:`refuse_save` asked about each save of a model."""
    pre_save.connect(refuse_save, sender=model, dispatch_uid="eventbus_capture.refuse_save")


def _refusal(column: Column, event: str) -> ValidationError:
    name = column.model._meta.verbose_name
    return ValidationError(
        {
            column.name: f"The {column.verbose_name} of a {name} cannot be changed: "
            f"{event} events that were published name it."
        }
    )
