"""Publishing rows as they are, whatever was published of them before."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import models, transaction

from eventbus import outbox
from eventbus.capture.orm import rows
from eventbus.capture.orm.changes import refuse_apart
from eventbus.capture.orm.counting import write_counters
from eventbus.capture.publication import Publication, Stored
from eventbus.capture.sequences import grow
from eventbus.outbox.sequences import last_sequences


def publish_snapshots(
    publication: Publication,
    chosen: "models.QuerySet[Any]",
    *,
    after: Any = None,
    batch_size: int,
) -> Iterator[tuple[int, Any]]:
    """Publish a snapshot of each row, in the order of their keys, while others go on writing.

    The rows of a batch are locked until its snapshots are in the outbox. So a snapshot comes
    behind the change that it shows, and before the next one. It counts as a change itself, so that
    no reader takes it for something it knows. Where raw SQL has set a counter back, or has deleted
    and inserted the row, it goes above all that the outbox knows to be published
    (:func:`eventbus.outbox.sequences.last_sequences`).

    :param chosen: which rows; each has one snapshot, as it is when its batch is taken.
    :param after: the key to begin behind, of whatever type keys have; None begins at the first.
    :param batch_size: how many rows are locked and published in one transaction.
    :returns: after each batch, how many it had and its last key, from which one can go on.
    """
    using = chosen.db
    key = publication.key.column.attname
    while True:
        with transaction.atomic(using=using):
            refuse_apart(using)
            batch = _next_batch(publication, chosen, after, batch_size)
            _publish(publication, batch, using)
        if not batch:
            return
        after = batch[-1][key]
        yield len(batch), after


def _next_batch(
    publication: Publication, chosen: "models.QuerySet[Any]", after: Any, size: int
) -> list[Stored]:
    key = publication.key.column.name
    wanted = chosen if after is None else chosen.filter(**{f"{key}__gt": after})
    keys = list(wanted.order_by(key).values_list("pk", flat=True)[:size])
    found = rows.lock_keys(publication, keys, chosen.db) if keys else {}
    return [found[one] for one in keys if one in found]


def _publish(publication: Publication, batch: Sequence[Stored], using: str) -> None:
    if not batch:
        return
    subjects = [publication.subject(row) for row in batch]
    sequences = None
    if publication.counter is None:
        reached = grow(publication.event, subjects)
        sequences = [reached[subject] for subject in subjects]
    else:
        known = last_sequences(publication.event, subjects)
        counter = publication.counter.attname
        for subject, row in zip(subjects, batch, strict=True):
            row[counter] = max(row[counter], known.get(subject, 0)) + 1
        write_counters(publication, batch, using)
    beyond = publication.beyond(batch, using)
    snapshots = [publication.snapshot(row, beyond) for row in batch]
    outbox.publish_all(snapshots, using=using, sequences=sequences)
