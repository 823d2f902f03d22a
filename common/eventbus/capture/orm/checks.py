"""System checks: whatever could write a published model without an event is found at start-up."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.db import models
from django.db.models.signals import post_delete, post_save

from eventbus.capture.orm.attaching import family, published_by_orm
from eventbus.capture.orm.managers import PublishingManager
from eventbus.capture.orm.querysets import PublishingQuerySet
from eventbus.capture.publication import Publication

IN_THE_DATABASE = {"DB_CASCADE", "DB_SET_NULL", "DB_SET_DEFAULT"}
"""What Django 6.1 leaves to the database when the other side of a foreign key is deleted."""

RECEIVERS = (
    ("post_save", post_save, "publish_saved"),
    ("post_delete", post_delete, "publish_deleted"),
)
"""What ``connect=False`` asks for: the signals, and what their receivers call."""


@register()
def published_models_are_captured(**_: Any) -> list[CheckMessage]:
    """Each way to write a model that is published with ``capture="orm"`` is captured."""
    found: list[CheckMessage] = []
    for publication in published_by_orm():
        for model in family(publication.model):
            found += _managers(model)
        found += _related_managers(publication)
        found += _receivers(publication)
        found += _left_to_the_database(publication)
    return found


def _managers(model: type[models.Model]) -> Iterator[CheckMessage]:
    """Each manager makes querysets that publish."""
    for manager in [*model._meta.managers, model._base_manager]:
        try:
            queryset: object = manager.get_queryset()
        except Exception as error:  # whatever a project's own manager raises
            queryset = f"raises {error!r}"
        if not isinstance(queryset, PublishingQuerySet):
            yield Error(
                f"The manager {model._meta.label}.{manager.name} is not captured: its "
                f"get_queryset() gives {queryset!r}.",
                hint="Return a QuerySet, or publish the model with capture='trigger'.",
                obj=model,
                id="eventbus_capture.E011",
            )


def _related_managers(publication: Publication) -> Iterator[CheckMessage]:
    """Each related manager that other models have of it does so, too."""
    for model in apps.get_models(include_auto_created=True):
        for name, descriptor in vars(model).items():
            kind = getattr(descriptor, "related_manager_cls", None)
            if kind is None or not _leads_to(descriptor, publication.model):
                continue
            if not issubclass(kind, PublishingManager):
                yield Error(
                    f"The related manager {model._meta.label}.{name} of "
                    f"{publication.model._meta.label} is not captured.",
                    hint="Publish the model with capture='trigger'.",
                    obj=model,
                    id="eventbus_capture.E012",
                )


def _leads_to(descriptor: Any, published: type[models.Model]) -> bool:
    rel = descriptor.rel
    is_forward = rel.field.many_to_many and not getattr(descriptor, "reverse", False)
    other = rel.model if is_forward or not hasattr(rel, "related_model") else rel.related_model
    return isinstance(other, type) and issubclass(other, published)


def _receivers(publication: Publication) -> Iterator[CheckMessage]:
    """With ``connect=False``, the project has connected receivers."""
    if publication.connects or publication.model._meta.auto_created:
        return
    for model in family(publication.model):
        for name, signal, function in RECEIVERS:
            if not signal.has_listeners(model):
                yield Error(
                    f"{publication} is declared with connect=False, and {model._meta.label} has "
                    f"no receiver of {name}.",
                    hint=f"Connect one that calls eventbus.capture.orm.{function}().",
                    obj=model,
                    id="eventbus_capture.E013",
                )


def _left_to_the_database(publication: Publication) -> Iterator[CheckMessage]:
    """No foreign key changes or deletes its rows behind Django's back."""
    for column in publication.model._meta.concrete_fields:
        how = getattr(column.remote_field, "on_delete", None)
        if getattr(how, "__name__", type(how).__name__) in IN_THE_DATABASE:
            yield Error(
                f"{column} leaves to the database what happens when the other side is deleted, "
                "of which no event of it would be published.",
                hint="Use Django's CASCADE, SET_NULL or SET_DEFAULT, or capture='trigger'.",
                obj=publication.model,
                id="eventbus_capture.E014",
            )
