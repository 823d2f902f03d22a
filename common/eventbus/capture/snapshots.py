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
from eventbus.capture.trigger.origin import settling
from eventbus.outbox.sequences import last_sequences


def publish_snapshots(
    publication: Publication,
    chosen: "models.QuerySet[Any]",
    after: Any,
    batch_size: int,
    group: str | None = None,
) -> Iterator[tuple[int, Any]]:
    """Publish a snapshot of each row, in the order of their primary keys, while writes go on.

    The rows of a batch are locked until its snapshots are in the outbox. So a snapshot comes
    behind the change that it shows, and before the next one. It counts as a change itself, so that
    no reader takes it for something it knows. Where raw SQL has set a counter back, or has deleted
    and inserted the row, it goes above all that the outbox knows to be published
    (:func:`eventbus.outbox.sequences.last_sequences`).

    :param chosen: which rows; each has one snapshot, as it is when its batch is taken.
    :param after: the primary key to begin behind, of whatever type keys have; None begins at the
        first.
    :param batch_size: how many rows are locked and published in one transaction.
    :param group: the consumer group that they are for; None for all. For one group, a snapshot has
        the sequence of the last change, as other groups do not see it.
    :returns: after each batch, how many it had and its last key, from which one can go on.
    """
    while True:
        number, after = publish_batch(publication, chosen, after, batch_size, group)
        if not number:
            return
        yield number, after


def publish_batch(
    publication: Publication,
    chosen: "models.QuerySet[Any]",
    after: Any,
    size: int,
    group: str | None = None,
) -> tuple[int, Any]:
    """Publish the next snapshots, in one transaction.

    :returns: how many, and the last key; none, and the same key, at the end.
    """
    using = chosen.db
    with transaction.atomic(using=using):
        refuse_apart(using)
        rest = chosen if after is None else chosen.filter(pk__gt=after)
        keys = list(rest.order_by("pk").values_list("pk", flat=True)[:size])
        _publish(publication, keys, using, group)
    return len(keys), keys[-1] if keys else after


def _publish(publication: Publication, keys: list[Any], using: str, group: str | None) -> None:
    batch = list(rows.lock_keys(publication, keys, using).values()) if keys else []
    if not batch:
        return
    subjects = [publication.subject(row) for row in batch]
    if group is None:
        sequences = _grown(publication, subjects, batch, using)
    else:
        sequences = _reached(publication, subjects, batch)
    beyond = publication.beyond(batch, using)
    snapshots = [publication.snapshot(row, beyond) for row in batch]
    outbox.publish_all(snapshots, using=using, sequences=sequences, group=group)


def _grown(
    publication: Publication, subjects: list[str], batch: Sequence[Stored], using: str
) -> list[int] | None:
    """Count one more change of each row.

    :returns: the sequences; None where the rows have them.
    """
    if publication.counter is None:
        reached = grow(publication.event, subjects)
        return [reached[subject] for subject in subjects]
    known = last_sequences(publication.event, subjects)
    counter = publication.counter.attname
    for subject, row in zip(subjects, batch, strict=True):
        row[counter] = max(row[counter], known.get(subject, 0)) + 1
    with settling():
        write_counters(publication, batch, using)
    return None


def _reached(publication: Publication, subjects: list[str], batch: Sequence[Stored]) -> list[int]:
    """The sequences of the last changes: one more would be missing for all other groups.

    Rows of which nothing was ever published begin to count.
    """
    if publication.counter is not None:
        return [row[publication.counter.attname] for row in batch]
    known = last_sequences(publication.event, subjects)
    unknown = [subject for subject in subjects if subject not in known]
    known.update(grow(publication.event, unknown) if unknown else {})
    return [known[subject] for subject in subjects]
