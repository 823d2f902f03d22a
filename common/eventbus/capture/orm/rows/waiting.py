"""What was saved and is published by a receiver of the project's own, with ``connect=False``."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import models, transaction

from eventbus.capture.orm.rows.changes import RowChange, publish_changes, refuse_apart
from eventbus.capture.publication import Publication


class NotPublishedYet(RuntimeError):
    """A model of ``connect=False`` was written, and no receiver of the project published that."""


@dataclass(eq=False)
class SavedChange:
    """A change that ``save()`` has written."""

    publication: Publication
    instance: models.Model
    change: RowChange
    using: str
    is_published: bool = False

    def publish(self) -> None:
        """Publish it, unless that has happened already."""
        if not self.is_published:
            self.is_published = True
            publish_changes(self.publication, [self.change], self.using)


_saves: ContextVar[tuple[list[SavedChange], ...]] = ContextVar("saves", default=())


@contextmanager
def one_save() -> Iterator[None]:
    """A ``save()``, at the end of which everything has to be published."""
    waiting: list[SavedChange] = []
    token = _saves.set((*_saves.get(), waiting))
    try:
        yield
        for saved in waiting:
            if not saved.is_published:
                raise NotPublishedYet(
                    f"{saved.publication} is declared with connect=False, and no receiver of "
                    "post_save called publish_saved()"
                )
    finally:
        _saves.reset(token)


def wait_for_receiver(saved: SavedChange) -> None:
    """Leave a change to the receiver; outside of :func:`one_save` there will be none."""
    saves = _saves.get()
    if saves:
        saves[-1].append(saved)
    else:
        saved.publish()


def publish_saved(publication: Publication, instance: models.Model) -> None:
    """Publish that an instance was saved: for receivers of ``post_save`` of the project's own.

    It publishes nothing for a signal that was sent by hand, without a ``save()``.
    """
    for saved in _waiting():
        if saved.publication is publication and saved.instance is instance:
            saved.publish()


@contextmanager
def one_write(using: str) -> Iterator[None]:
    """A transaction around the write of published rows and their events.

    What waits for its receiver is published before: events are in the order of the writes.
    """
    with transaction.atomic(using=using):
        refuse_apart(using)
        publish_waiting()
        yield


def publish_waiting() -> None:
    """Publish what waits for its receiver, before something else is written."""
    for saved in _waiting():
        saved.publish()


def _waiting() -> list[SavedChange]:
    return [saved for waiting in _saves.get() for saved in waiting]
