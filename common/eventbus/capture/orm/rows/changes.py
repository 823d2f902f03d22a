"""What was changed becomes events, once, in the order in which it was written.

A write is watched from before it begins until its events are published. What is published
meanwhile of the same rows, by a receiver or by a queryset's own ``update()``, is noted there, so
that no change is published twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connections

from eventbus import outbox
from eventbus.capture.orm.rows.reading import Rows
from eventbus.capture.publication import Beyond, Publication, Stored
from eventbus.capture.sequences import grow
from eventbus.database.alias import bus_alias
from eventbus.events import Contract
from eventbus.outbox.publishing import NoTransaction, WrongDatabase


class RowChange(NamedTuple):
    """One row, before and after a write; None where there is no such row."""

    before: Stored | None
    after: Stored | None

    @property
    def row(self) -> Stored:
        """The row, as it is or as it was last."""
        return self.after or self.before or {}


@dataclass(eq=False)
class Watch:
    """Rows that are being written, as they were last published."""

    publication: Publication
    rows: Rows
    created: set[Any] = field(default_factory=set)
    """The keys of rows that were published as new meanwhile."""


_watches: ContextVar[tuple[Watch, ...]] = ContextVar("watches", default=())


@contextmanager
def watching(*watches: Watch) -> Iterator[None]:
    """Keep rows up to date with what is published of them inside the block."""
    token = _watches.set((*_watches.get(), *watches))
    try:
        yield
    finally:
        _watches.reset(token)


def watches() -> tuple[Watch, ...]:
    """The writes that have begun and have not ended."""
    return _watches.get()


def refuse_apart(using: str) -> None:
    """Refuse a write that could commit without its event.

    :raises WrongDatabase: when it goes to another database than the outbox's.
    :raises NoTransaction: when no transaction is open.
    """
    if using != bus_alias():
        raise WrongDatabase(
            f"The change goes to the database {using!r} and the outbox is in {bus_alias()!r} "
            "(EVENTBUS['DATABASE_ALIAS']), so one could commit without the other"
        )
    if not connections[using].in_atomic_block:
        raise NoTransaction(
            f"A published model is written outside a transaction: transaction.atomic({using!r})"
        )


def publish_changes(
    publication: Publication,
    changes: Sequence[RowChange],
    using: str,
    known: Beyond | None = None,
) -> None:
    """Publish what was written, with one statement for all of it.

    :param changes: each row once; the counters in them have grown.
    :param known: values over foreign keys of rows that may be gone by now.
    """
    if not changes:
        return
    refuse_apart(using)
    rows = (row for change in changes for row in change if row is not None)
    beyond = publication.beyond(rows, using) if known is None else known
    events = [_event(publication, change, beyond) for change in changes]
    outbox.publish_all(events, using=using, sequences=_sequences(publication, changes))
    _note(publication, changes)


def _event(publication: Publication, change: RowChange, beyond: Beyond) -> Contract:
    if change.before is None:
        return publication.created(change.row, beyond)
    if change.after is None:
        return publication.deleted(change.row, beyond)
    return publication.updated(change.before, change.after, beyond)


def _sequences(publication: Publication, changes: Iterable[RowChange]) -> list[int] | None:
    if publication.counter is not None:
        return None
    subjects = [publication.subject(change.row) for change in changes]
    reached = grow(publication.event, subjects)
    return [reached[subject] for subject in subjects]


def _note(publication: Publication, changes: Iterable[RowChange]) -> None:
    pk = publication.model._meta.pk.attname
    watched = [watch for watch in _watches.get() if watch.publication is publication]
    for change in changes if watched else ():
        for watch in watched:
            _note_in(watch, change.row[pk], change)


def _note_in(watch: Watch, key: Any, change: RowChange) -> None:
    if change.before is None:
        watch.created.add(key)
    if change.after is None:
        watch.rows.pop(key, None)
    elif key in watch.rows:
        watch.rows[key] = change.after
