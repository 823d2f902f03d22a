"""Querysets of published models: Django's, or a project's own, with a layer above."""

from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any

from django.db import models

from eventbus.capture import registry
from eventbus.capture.orm import conflicts, creating, deleting, updating
from eventbus.capture.orm.rows import reading
from eventbus.capture.orm.rows.counting import remember_counters
from eventbus.capture.suppressing import record, suppression
from eventbus.database.alias import bus_atomic


class PublishingQuerySet(models.QuerySet[Any]):
    """What is above the class of each queryset that the managers of a published model make."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the name of the class below: this one is made when Django starts."""
        below = type(self).__mro__[2]
        return _unpickled, (below,), self.__getstate__()

    def update(self, **values: Any) -> int:
        """As in Django. Each row that really changes is published."""

        def write(chosen: "models.QuerySet[Any]", setting: updating.Values) -> int:
            written: int = super(PublishingQuerySet, chosen).update(**setting)  # type: ignore[misc]  # noqa: UP008
            return written

        own = super().update.__func__ is models.QuerySet.update  # type: ignore[attr-defined]
        return updating.update(self, values, write, is_djangos=own)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(  # noqa: PLR0917  as in Django
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Any]:
        """As in Django. Each row that is inserted, or updated, is published."""
        ways = {
            "ignore_conflicts": ignore_conflicts,
            "update_conflicts": update_conflicts,
            "update_fields": update_fields,
            "unique_fields": unique_fields,
        }

        def insert(instances: list[Any], **how: Any) -> list[Any]:
            return super(PublishingQuerySet, self).bulk_create(instances, batch_size, **how)

        publication = registry.captured_by_orm(self.model)
        instances = list(objs)
        if publication is None or not instances:
            return insert(instances, **ways)
        if suppression() is not None:
            with bus_atomic():
                record(publication.event, len(instances))
                return insert(instances, **ways)
        self._for_write = True
        if ignore_conflicts or update_conflicts:
            return conflicts.bulk_create(publication, self, instances, insert, **ways)
        return creating.bulk_create(
            publication, instances, self.db, lambda instances: insert(instances, **ways)
        )

    bulk_create.alters_data = True  # type: ignore[attr-defined]

    def _insert(self, objs: Any, fields: Any, **options: Any) -> Any:
        inserting: Callable[..., Any] = super()._insert  # type: ignore[misc]
        noted = conflicts.inserted_by(self)
        if noted is None:
            return inserting(objs, fields, **options)
        return conflicts.insert_and_note(self, objs, fields, options, noted)

    def _raw_delete(self, using: str | None) -> int:
        publication = registry.captured_by_orm(self.model)

        def delete(chosen: "models.QuerySet[Any]") -> int:
            return chosen._raw_delete(using)

        if publication is None:
            return super()._raw_delete(using)
        if suppression() is not None:
            with bus_atomic():
                gone = reading.lock(publication, self, using or self.db).values()
                remember_counters(publication, gone)
                deleted = super()._raw_delete(using)
                record(publication.event, deleted)
            return deleted
        return deleting.delete_rows(publication, self, using or self.db, delete)

    _raw_delete.alters_data = True  # type: ignore[attr-defined]


@cache
def publishing_class(kind: type["models.QuerySet[Any]"]) -> type["models.QuerySet[Any]"]:
    """The publishing class above a class of querysets."""
    if issubclass(kind, PublishingQuerySet):
        return kind
    return type(f"Publishing{kind.__name__}", (PublishingQuerySet, kind), {"__module__": __name__})


def _unpickled(kind: type["models.QuerySet[Any]"]) -> "models.QuerySet[Any]":
    made = publishing_class(kind)
    return made.__new__(made)
