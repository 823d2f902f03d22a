"""The publications of this project, by model."""

from django.core.exceptions import ImproperlyConfigured
from django.db import models

from eventbus.capture.publication import Publication

_publications: dict[type[models.Model], Publication] = {}


def enter(publication: Publication) -> None:
    """Enter a publication.

    :raises ImproperlyConfigured: when its model or its event is taken by another one.
    """
    for other in _publications.values():
        if other.model is publication.model:
            raise ImproperlyConfigured(f"{publication.model._meta.label} is published twice")
        if other.event == publication.event:
            raise ImproperlyConfigured(
                f"The event {publication.event!r} is taken by {other.model._meta.label}"
            )
    _publications[publication.model] = publication


def publications() -> list[Publication]:
    """All of them, by their events."""
    return sorted(_publications.values(), key=lambda publication: publication.event)


def publications_of(model: type[models.Model]) -> list[Publication]:
    """Those whose tables a write of a model touches: its own, and those of its parents."""
    concrete = model._meta.concrete_model
    tables = [concrete, *model._meta.get_parent_list()]
    return [_publications[table] for table in tables if table in _publications]


def publication_of(model: type[models.Model]) -> Publication | None:
    """That of the table of a model or proxy, without those of its parents."""
    concrete = model._meta.concrete_model
    return None if concrete is None else _publications.get(concrete)


def captured_by_orm(model: type[models.Model]) -> Publication | None:
    """That of the table of a model or proxy, if Django's ORM notices its changes."""
    publication = publication_of(model)
    return publication if publication is not None and publication.capture == "orm" else None


def published_event(event: str) -> Publication:
    """The publication of an event; where there is only one, the event need not be named.

    :raises LookupError: when there is none, or none is named of several; the text says which exist.
    """
    declared = {publication.event: publication for publication in publications()}
    if not declared:
        raise LookupError(
            "No model is published. Declare one in an app's events.py: publish_model(...)"
        )
    if not event and len(declared) == 1:
        return next(iter(declared.values()))
    if event not in declared:
        problem = f"no published model has the event {event!r}" if event else "name an event"
        raise LookupError(f"{problem[0].upper()}{problem[1:]}; there are {', '.join(declared)}")
    return declared[event]
