"""The history of a subject: its changes, and its state at a point in time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Q, QuerySet

from audit_service.audit.models import AuditEntry
from audit_service.audit.reading.gaps import Losses

PREVIOUS = "previous"
COUNTED = frozenset({"version", "updated_at"})
"""Fields that differ in every event, and are not reported as changes."""


LEAST = -(2**63)
"""The lowest value of a sequence column."""

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
    """Consecutive sequences that are missing in the record.

    :param is_lost: whether Kafka deleted messages there before they were recorded.
    """

    first: int
    last: int
    is_lost: bool = False


@dataclass(frozen=True)
class Change:
    """One event in the history of a subject.

    :param missing: the gap just before it, if any.
    """

    entry: AuditEntry
    fields: list[FieldChange]
    missing: Gap | None


def entries_of(aggregate: str, subject: str) -> QuerySet[AuditEntry]:
    """The entries of a subject in the order of its sequences, including replayed ones.

    :param aggregate: the kind of subject, such as ``product``: the event type up to its first dot.
    """
    entries = AuditEntry.objects.filter(subject=subject, sequence__isnull=False)
    return entries.filter(about(aggregate)).order_by("sequence", "id")


def changes(entries: Iterable[AuditEntry], before: AuditEntry | None) -> Iterator[Change]:
    """Yield what each of these entries changed.

    :param entries: of one subject, in the order of :func:`entries_of`.
    :param before: the entry just before the first of them; None if there is none.
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
    """Return the sequence of an entry that is known to have one."""
    return cast(int, entry.sequence)


def entry_before(entry: AuditEntry, entries: QuerySet[AuditEntry]) -> AuditEntry | None:
    """Return the previous entry of the same subject."""
    earlier = Q(sequence__lt=entry.sequence) | Q(sequence=entry.sequence, id__lt=entry.pk)
    return entries.filter(earlier).last()


def last_entry(aggregate: str, subject: str, at: datetime) -> AuditEntry | None:
    """Return the entry with the state at a point in time; None if there is none."""
    entries = entries_of(aggregate, subject).filter(by(at))
    return entries.order_by("-sequence", "-id").first()


def about(aggregate: str) -> Q:
    """Select entries about subjects of a kind."""
    return Q(type=aggregate) | Q(type__startswith=f"{aggregate}.")


def by(at: datetime) -> Q:
    """Select events up to a point in time. Without a usable time, the time of recording counts."""
    return Q(time__lte=at) | Q(time=None, recorded_at__lte=at)


def state_of(entry: AuditEntry) -> dict[str, Any]:
    """Return the state of the subject after this entry; after its deletion, the last state."""
    data = entry.data if isinstance(entry.data, dict) else {}
    return {name: value for name, value in data.items() if name != PREVIOUS}


@dataclass(frozen=True)
class Part(Change):
    """A change as part of a transaction.

    :param before: the state before it; None if the subject did not exist.
    :param after: the state after it; None if the subject was deleted.
    """

    before: dict[str, Any] | None
    after: dict[str, Any] | None


def transaction_of(entries: Sequence[AuditEntry]) -> Iterator[Part]:
    """Yield the changes of one correlation id, with the states before and after each."""
    earlier = _predecessors(entry for entry in entries if not _has_previous(entry))
    for entry in entries:
        before = _state_before(entry, earlier.get(_place_before(entry)))
        yield Part(entry, _changed(entry, before or {}), None, before, _left_by(entry))


def _state_before(entry: AuditEntry, predecessor: AuditEntry | None) -> dict[str, Any] | None:
    """Return the state before an entry, from the entry itself or else from its predecessor."""
    if is_deletion(entry):
        return state_of(entry)
    if _has_previous(entry):
        return {**state_of(entry), **entry.data[PREVIOUS]}
    return _left_by(predecessor)


def _left_by(entry: AuditEntry | None) -> dict[str, Any] | None:
    """Return the state after an entry; None if there is none, or it is unknown.

    An event after a deletion creates the subject anew, with all of its fields.
    """
    return None if entry is None or is_deletion(entry) else state_of(entry)


def _has_previous(entry: AuditEntry) -> bool:
    return isinstance(entry.data, dict) and isinstance(entry.data.get(PREVIOUS), dict)


def _predecessors(entries: Iterable[AuditEntry]) -> dict[SubjectPlace, AuditEntry]:
    """Find the entries just before these, with one query."""
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
    """Return the changes that an entry reports, or else its differences from the state before."""
    state = state_of(entry)
    previous = entry.data.get(PREVIOUS) if isinstance(entry.data, dict) else None
    if isinstance(previous, dict):
        return [FieldChange(name, old, state.get(name)) for name, old in previous.items()]
    return [
        FieldChange(name, before.get(name), value)
        for name, value in state.items()
        if name not in COUNTED and value != before.get(name)
    ]
