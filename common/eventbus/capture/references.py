"""Naming the model that is published."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models


@dataclass(frozen=True)
class Through:
    """The table between the two sides of a many-to-many relation."""

    relation: str


def through(relation: str) -> Through:
    """The model between two others, which a ``ManyToManyField`` made.

    :param relation: the field, such as ``catalogue.Product.categories``.
    """
    return Through(relation)


def model_of(named: str | type[models.Model] | Through) -> type[models.Model]:
    """The concrete model that is meant.

    :raises ImproperlyConfigured: when there is none; the text says what to write.
    """
    if isinstance(named, Through):
        label, _, name = named.relation.rpartition(".")
        owner = _model(label)
        try:
            relation = owner._meta.get_field(name)
        except FieldDoesNotExist:
            relation = None
        if relation is None or not relation.many_to_many:
            raise ImproperlyConfigured(f"{named.relation} is not a many-to-many field")
        model: type[models.Model] = relation.remote_field.through  # type: ignore[union-attr]
    else:
        model = _model(named) if isinstance(named, str) else named
    if model._meta.proxy:
        concrete: Any = model._meta.concrete_model
        raise ImproperlyConfigured(
            f"{model._meta.label} is a proxy: publish {concrete._meta.label}, whose table it is"
        )
    return model


def _model(label: str) -> type[models.Model]:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise ImproperlyConfigured(
            f"publish_model({label!r}): there is no such model ({error}). Write it as "
            '"app_label.Model"'
        ) from error
