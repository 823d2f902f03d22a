"""Attaching the capture to published models, from outside and when Django starts."""

from django.apps import apps
from django.db import models

from eventbus.capture import registry
from eventbus.capture.orm.deleting import capture_deletions
from eventbus.capture.orm.guarding import guard, guarded, guarded_models
from eventbus.capture.orm.managers import attach_managers, forget_related_managers
from eventbus.capture.orm.saving import capture_saves
from eventbus.capture.publication import Publication

_attached: set[type[models.Model]] = set()


def attach_all() -> None:
    """Attach the capture to what is published with ``capture="orm"``; what has it is left alone."""
    guarded.cache_clear()
    for publication in published_by_orm():
        capture_saves(publication.model)
        for model in family(publication.model):
            _attach(model)
    for column_model in guarded_models():
        for model in family(column_model):
            guard(model)
            _attach(model)
    capture_deletions()
    forget_related_managers()


def published_by_orm() -> list[Publication]:
    """The publications whose changes Django's ORM notices."""
    return [one for one in registry.publications() if one.capture == "orm"]


def family(model: type[models.Model]) -> list[type[models.Model]]:
    """A model, its proxies and its children: all whose writes touch its table."""
    known = apps.get_models(include_auto_created=True)
    return [one for one in known if issubclass(one, model)]


def _attach(model: type[models.Model]) -> None:
    if model not in _attached:
        attach_managers(model)
        _attached.add(model)
