"""What happened to one subject: its changes, one after another, and what it was at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Q, QuerySet

from audit_service.audit.models import AuditEntry
from audit_service.audit.reading.gaps import Losses

PREVIOUS = "previous"
COUNTED = frozenset({"version", "updated_at"})
"""Fields that change with every change, and say nothing by that."""


LEAST = -(2**63)
"""Of what a column of sequences holds."""

SubjectPlace = tuple[str, str, int]
"""Aggregate, subject and sequence."""


@dataclass(frozen=True)
class FieldChange:
    """A field that an event changed."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Gap:
    """Sequences that the record lacks, from the first to the last.

    :param is_lost: whether Kafka deleted messages there before they could be recorded.
    """

    first: int
    last: int
    is_lost: bool = False


@dataclass(frozen=True)
class Change:
    """One event in the life of a subject.

    :param missing: what is not recorded just before it.
    """

    entry: AuditEntry
    fields: list[FieldChange]
    missing: Gap | None


def entries_of(aggregate: str, subject: str) -> QuerySet[AuditEntry]:
    """What is recorded of a subject, in the order in which it happened, replayed or not.

    :param aggregate: what kind of thing it is, such as ``product``: the type up to its first dot.
    """
    entries = AuditEntry.objects.filter(subject=subject, sequence__isnull=False)
    return entries.filter(about(aggregate)).order_by("sequence", "id")


def changes(entries: Iterable[AuditEntry], before: AuditEntry | None) -> Iterator[Change]:
    """What each of these entries changed.

    :param entries: of one subject, in the order of :func:`entries_of`.
    :param before: the entry just before the first of them; None where that is the first of all.
    """
    state = _left_by(before) or {}
    sequence = sequence_of(before) if before else 0
    losses = Losses()
    for entry in entries:
        missing = None
        its_own = sequence_of(entry)
        if its_own > sequence + 1:
            is_lost = losses.between(before, entry)
            missing = Gap(sequence + 1, its_own - 1, is_lost)
        yield Change(entry, _changed(entry, state), missing)
        state, sequence, before = _left_by(entry) or {}, its_own, entry


def sequence_of(entry: AuditEntry) -> int:
    """The sequence of an entry that was selected by having one."""
    return cast(int, entry.sequence)


def entry_before(entry: AuditEntry, entries: QuerySet[AuditEntry]) -> AuditEntry | None:
    """The one just before an entry, of all those of its subject."""
    earlier = Q(sequence__lt=entry.sequence) | Q(sequence=entry.sequence, id__lt=entry.pk)
    return entries.filter(earlier).last()


def last_entry(aggregate: str, subject: str, at: datetime) -> AuditEntry | None:
    """The entry that says what a subject was at a time; None where nothing is known of it."""
    entries = entries_of(aggregate, subject).filter(by(at))
    return entries.order_by("-sequence", "-id").first()


def about(aggregate: str) -> Q:
    """What is about things of a kind."""
    return Q(type=aggregate) | Q(type__startswith=f"{aggregate}.")


def by(at: datetime) -> Q:
    """What had happened by a time. An event that names no usable time happened when recorded."""
    return Q(time__lte=at) | Q(time=None, recorded_at__lte=at)


def state_of(entry: AuditEntry) -> dict[str, Any]:
    """The subject as it was after this entry; after its deletion, as it was last."""
    data = entry.data if isinstance(entry.data, dict) else {}
    return {name: value for name, value in data.items() if name != PREVIOUS}


@dataclass(frozen=True)
class Part(Change):
    """A change as one part of a transaction.

    :param before: what its subject was before; None where there was nothing.
    :param after: what its subject was afterwards; None where it was deleted.
    """

    before: dict[str, Any] | None
    after: dict[str, Any] | None


def transaction_of(entries: Sequence[AuditEntry]) -> Iterator[Part]:
    """What the entries of one correlation id did, with what was before and afterwards."""
    earlier = _predecessors(entry for entry in entries if not _tells_before(entry))
    for entry in entries:
        before = _state_before(entry, earlier.get(_place_before(entry)))
        yield Part(entry, _changed(entry, before or {}), None, before, _left_by(entry))


def _state_before(entry: AuditEntry, predecessor: AuditEntry | None) -> dict[str, Any] | None:
    """By what the entry itself tells; where it does not, by the entry before it."""
    if is_deletion(entry):
        return state_of(entry)
    if _tells_before(entry):
        return {**state_of(entry), **entry.data[PREVIOUS]}
    return _left_by(predecessor)


def _left_by(entry: AuditEntry | None) -> dict[str, Any] | None:
    """The subject as an entry left it; None where nothing is left, or none is known of it.

    What comes after a deletion is created anew, all of it.
    """
    return None if entry is None or is_deletion(entry) else state_of(entry)


def _tells_before(entry: AuditEntry) -> bool:
    return isinstance(entry.data, dict) and isinstance(entry.data.get(PREVIOUS), dict)


def _predecessors(entries: Iterable[AuditEntry]) -> dict[SubjectPlace, AuditEntry]:
    """The entries just before these, with one query."""
    places = {_place_before(entry) for entry in entries if (entry.sequence or 0) > LEAST}
    found = AuditEntry.objects.filter(
        subject__in={subject for _, subject, _ in places},
        sequence__in={sequence for _, _, sequence in places},
    )
    by_place = {(entry.aggregate, entry.subject, entry.sequence): entry for entry in found}
    return {place: entry for place, entry in by_place.items() if place in places}


def _place_before(entry: AuditEntry) -> SubjectPlace:
    return entry.aggregate, entry.subject, (entry.sequence or 0) - 1


def is_deletion(entry: AuditEntry) -> bool:
    return entry.type.endswith(".deleted")


def _changed(entry: AuditEntry, before: dict[str, Any]) -> list[FieldChange]:
    """What an entry says it changed; where it does not say it, what differs from before."""
    state = state_of(entry)
    told = entry.data.get(PREVIOUS) if isinstance(entry.data, dict) else None
    if isinstance(told, dict):
        return [FieldChange(name, old, state.get(name)) for name, old in told.items()]
    return [
        FieldChange(name, before.get(name), value)
        for name, value in state.items()
        if name not in COUNTED and value != before.get(name)
    ]
