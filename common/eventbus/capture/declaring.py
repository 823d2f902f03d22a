"""Declaring that a model's changes are events."""

import re
import sys
from collections.abc import Sequence

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady, FieldDoesNotExist, ImproperlyConfigured
from django.db import models

from eventbus.capture import registry
from eventbus.capture.fields import Column, DeclaredField, PublishedField, resolve
from eventbus.capture.publication import Capture, Publication
from eventbus.capture.references import Through, model_of
from eventbus.events.contract import RESERVED

AUTO = "auto"
EVENT = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def publish_model(
    model: str | type[models.Model] | Through,
    *,
    event: str,
    topic: str,
    fields: Sequence[str | DeclaredField] = (),
    key: str = "pk",
    sequence: str = AUTO,
    touched: str | None = None,
    capture: Capture = "orm",
    connect: bool = True,
    snapshot_version: int = 0,
) -> Publication:
    """Declare that each change of a model is an event. The model is not touched.

    Write it in an app's ``events.py``, where it is found when Django starts.

    :param model: such as ``partner.StockRecord``, or :func:`~eventbus.capture.through`.
    :param event: what its events are about, such as ``stock``: their types are ``stock.created``,
        ``stock.updated``, ``stock.deleted`` and ``stock.snapshot``.
    :param topic: the Kafka topic that carries them.
    :param fields: what of the model the events have. Left out for a table between two models,
        which has its two keys.
    :param key: the field that tells one subject from another, unique and never changed.
    :param sequence: ``auto`` counts the changes of each subject in a table of the outbox; else the
        name of a column of the model that counts them, which the library then grows.
    :param touched: a ``DateTimeField`` that takes the time of each change.
    :param capture: ``orm`` notices what goes through Django's models, on every database;
        ``trigger`` also notices raw SQL and other programs, on PostgreSQL and SQLite.
    :param connect: False where the project connects the receivers of ``orm`` itself, to show them.
    :param snapshot_version: raise it to have the relay publish every row once after a deploy, as
        ``publish_snapshot`` does.
    :raises ImproperlyConfigured: for what cannot be published; the text says why.
    """
    if not EVENT.fullmatch(event):
        raise ImproperlyConfigured(
            f"publish_model({event!r}): an event is called in lower case, such as stock_record"
        )
    try:
        apps.check_models_ready()
    except AppRegistryNotReady:
        raise ImproperlyConfigured(
            f"publish_model({event!r}) runs before the models are loaded: call it in events.py"
        ) from None
    concrete = model_of(model)
    key_field = resolve(concrete, key)
    counter = None if sequence == AUTO else _own(concrete, sequence, models.IntegerField)
    publication = Publication(
        model=concrete,
        event=event,
        topic=topic,
        fields=_complete(
            key_field, counter, [resolve(concrete, name) for name in _names(concrete, fields)]
        ),
        key=key_field,
        counter=counter,
        touched=None if touched is None else _own(concrete, touched, models.DateTimeField),
        capture=capture,
        connects=connect,
        snapshot_version=snapshot_version,
        app=_app_of(sys._getframe(1).f_globals["__name__"], concrete),
    )
    registry.enter(publication)
    return publication


def _app_of(module: str, model: type[models.Model]) -> str:
    """The app that a module belongs to; that of the model for a module of none."""
    config = apps.get_containing_app_config(module)
    return config.label if config else model._meta.app_label


def _names(
    model: type[models.Model], fields: Sequence[str | DeclaredField]
) -> Sequence[str | DeclaredField]:
    if fields:
        return fields
    if not model._meta.auto_created:
        raise ImproperlyConfigured(f"Say which fields of {model._meta.label} are published")
    return [column.name for column in model._meta.concrete_fields]


def _complete(
    key: PublishedField, counter: Column | None, fields: list[PublishedField]
) -> tuple[PublishedField, ...]:
    """With the key in front and the counter at the end, where they are not named."""
    named = {field.column for field in fields if field.beyond is None}
    if key.column not in named:
        fields = [PublishedField(key.column.name, key.column, None, key.kind, False), *fields]
    if counter is not None and counter not in named:
        fields = [*fields, resolve(key.column.model, counter.name)]
    for field in fields:
        if field.name in RESERVED or not field.name.isidentifier():
            raise ImproperlyConfigured(
                f"A field of an event cannot be called {field.name!r}: "
                f"field({field.name!r}, name=...)"
            )
    return tuple(fields)


def _own(model: type[models.Model], name: str, kind: type[Column]) -> Column:
    try:
        column = model._meta.get_field(name)
    except FieldDoesNotExist:
        column = None
    if not isinstance(column, kind):
        raise ImproperlyConfigured(f"{model._meta.label}.{name} is not a {kind.__name__}")
    return column
