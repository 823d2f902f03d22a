"""Deletions: of instances and querysets, by cascades, and those that send no signals.

Django deletes through one class, ``Collector``, which knows every row that goes before the first
one does. What it is about to delete is locked and read with one query a model.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import models
from django.db.models.deletion import Collector

from eventbus.capture import registry
from eventbus.capture.orm.rows import reading
from eventbus.capture.orm.rows.changes import (
    RowChange,
    Watch,
    publish_changes,
    watches,
    watching,
)
from eventbus.capture.orm.rows.counting import remember_counters
from eventbus.capture.orm.rows.waiting import NotPublishedYet, one_write
from eventbus.capture.publication import Beyond, Publication
from eventbus.capture.suppressing import record, suppression
from eventbus.database.alias import bus_atomic

Deleted = tuple[int, dict[str, int]]


class Deletion(Watch):
    """Rows that are about to be deleted."""

    def __init__(self, publication: Publication, found: reading.Rows, using: str) -> None:
        super().__init__(publication, found)
        self.using = using
        # The other side of a foreign key may be deleted as well.
        self.beyond = publication.beyond(found.values(), using)

    def publish(self) -> None:
        """Publish what is gone; once."""
        gone = list(self.rows.values())
        self.rows = {}
        changes = [RowChange(row, None) for row in gone]
        publish_changes(self.publication, changes, self.using, self._beyond(changes))

    def _beyond(self, changes: list[RowChange]) -> Beyond:
        """As it was, with what came to the rows meanwhile."""
        now = self.publication.beyond([change.row for change in changes], self.using)
        return {name: {**values, **self.beyond.get(name, {})} for name, values in now.items()}


def publish_deleted(publication: Publication, instance: models.Model) -> None:
    """Publish that an instance is gone: for receivers of ``post_delete`` of the project's own.

    The others of its model that go with it are published by the first of them. It publishes
    nothing for a signal that was sent by hand, without a deletion.
    """
    for watch in watches():
        if (
            isinstance(watch, Deletion)
            and watch.publication is publication
            and instance.pk in watch.rows
        ):
            watch.publish()


def capture_deletions() -> None:
    """Wrap the class that deletes for Django, once."""
    if not hasattr(Collector.delete, "publishes"):
        Collector.delete = _publishing(Collector.delete)  # type: ignore[method-assign,assignment]


def _publishing(delete: Callable[[Collector], Deleted]) -> Callable[[Collector], Deleted]:
    @wraps(delete)
    def wrapped(self: Collector) -> Deleted:
        going = _instances_by_publication(self)
        _update_by_querysets(self)
        if not going:
            return delete(self)
        if suppression() is not None:
            with bus_atomic():
                for publication, keys in going.items():
                    record(publication.event, len(keys))
                    gone = reading.lock_keys(publication, keys, self.using).values()
                    remember_counters(publication, gone)
                return delete(self)
        using: Any = self.using
        with one_write(using):
            deletions = [
                Deletion(publication, reading.lock_keys(publication, keys, using), using)
                for publication, keys in going.items()
            ]
            with watching(*deletions):
                deleted = delete(self)
                _publish_or_refuse(deletions)
        return deleted

    wrapped.publishes = True  # type: ignore[attr-defined]
    return wrapped


def _instances_by_publication(collector: Collector) -> dict[Publication, list[Any]]:
    """The keys of published rows that are deleted one by one, not by a queryset."""
    going: dict[Publication, list[Any]] = {}
    for model, instances in collector.data.items():
        publication = registry.captured_by_orm(model)
        if publication is not None:
            going.setdefault(publication, []).extend(instance.pk for instance in instances)
    return going


def _update_by_querysets(collector: Collector) -> None:
    """Let keys that lose what they led to be set by querysets, which publish that.

    Django does so for ``SET_NULL`` and its like, but not for rows that are in memory.
    """
    updates: Any = collector.field_updates
    for (field, _), updated in updates.items():
        if registry.captured_by_orm(field.model) is not None:
            manager = field.model._base_manager.using(collector.using)
            updated[:] = [
                manager.filter(pk__in=[row.pk for row in some])
                if not isinstance(some, models.QuerySet) or some._result_cache is not None
                else some
                for some in updated
            ]


def _publish_or_refuse(deletions: list[Deletion]) -> None:
    for deletion in deletions:
        if deletion.publication.connects or deletion.publication.model._meta.auto_created:
            deletion.publish()
        elif deletion.rows:
            raise NotPublishedYet(
                f"{deletion.publication} is declared with connect=False, and no receiver of "
                "post_delete called publish_deleted()"
            )


def delete_rows(
    publication: Publication,
    chosen: "models.QuerySet[Any]",
    using: str,
    delete: Callable[["models.QuerySet[Any]"], int],
) -> int:
    """Delete what a queryset chooses with one statement, and publish that.

    :param delete: deletes the rows of the queryset that it gets.
    """
    with one_write(using):
        deletion = Deletion(publication, reading.lock(publication, chosen, using), using)
        if not deletion.rows:
            return 0
        deleted = delete(reading.of_keys(publication.model, deletion.rows, using))
        deletion.publish()
    return deleted
