"""Managers of published models, which make publishing querysets whatever their own class is.

Django asks a model's options for its managers, and makes copies of them for each model. So the
options are where all of them are found: those of the model, those that it inherits, the default
one and the base one, and the related managers that other models make of these.
"""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.options import Options
from django.utils.functional import cached_property

from eventbus.capture.orm.querysets import publishing_class


class PublishingManager(models.Manager[Any]):
    """What is above the class of each manager of a published model."""

    def get_queryset(self) -> "models.QuerySet[Any]":
        """As the manager's own class does, with a queryset that publishes."""
        queryset = super().get_queryset()
        if isinstance(queryset, models.QuerySet):
            queryset.__class__ = publishing_class(type(queryset))
        return queryset


class PublishingOptions(Options):  # type: ignore[type-arg]
    """``_meta`` of a model whose managers publish."""

    @cached_property
    def managers(self) -> Any:
        """All managers, as in Django."""
        return type(super().managers)(map(_publishing, super().managers))

    @cached_property
    def base_manager(self) -> Any:
        """The manager that ``save()``, deletions and foreign keys use, as in Django."""
        return _publishing(super().base_manager)


def attach_managers(model: type[models.Model]) -> None:
    """Have all managers of a model publish."""
    options: Any = model._meta
    options.__class__ = PublishingOptions
    options._expire_cache()


def forget_related_managers() -> None:
    """Let Django make the related managers again, of the managers that publish."""
    for model in apps.get_models(include_auto_created=True):
        for descriptor in vars(model).values():
            if not isinstance(descriptor, type):
                getattr(descriptor, "__dict__", {}).pop("related_manager_cls", None)


def _publishing(manager: Any) -> Any:
    manager.__class__ = _manager_class(type(manager))  # type: ignore[arg-type]
    return manager


@cache
def _manager_class(kind: type[Any]) -> type[Any]:
    """The publishing class above a class of managers.

    To migrations it is that class: they write its name where a manager is used in them, and
    compare it with what they wrote before.
    """
    if issubclass(kind, PublishingManager):
        return kind

    def equals(self: Any, other: Any) -> bool:
        return isinstance(other, kind) and self._constructor_args == other._constructor_args

    names = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__eq__": equals,
        "__hash__": kind.__hash__,
    }
    return type(kind.__name__, (PublishingManager, kind), names)
