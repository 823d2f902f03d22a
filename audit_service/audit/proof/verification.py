"""Verifies the chains: the entries are complete, and unchanged since they were recorded."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from django.db.models import Q, QuerySet

from audit_service.audit.models import NOTHING, AuditEntry, ChainHead
from audit_service.audit.proof.statements import Links, Signed
from audit_service.audit.record.sealed import Key, Sealed, sealed, sealed_rows
from audit_service.audit.record.sealing import link

REPORT_EVERY = 10_000
AT_ONCE = 500
"""Number of signed positions per query."""


class How(StrEnum):
    """What was done to an entry."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    MOVED = "moved"
    REWRITTEN = "rewritten since it was signed"
    PRUNED = "pruned beyond the last signed entry"


@dataclass(frozen=True)
class Break:
    """The first position at which a chain is broken.

    :param position: in the chain.
    :param entry_id: of the entry that does not fit; None if it is missing.
    """

    how: How
    position: int
    entry_id: int | None

    def __str__(self) -> str:
        entry = f", entry {self.entry_id}" if self.entry_id else ""
        return f"{self.how} at {self.position:,}{entry}"


@dataclass(slots=True)
class Chain:
    """The state of one chain during verification.

    :param position: of the last verified entry.
    :param link: of that entry.
    :param end: the head, as it was before the entries were read; None if there is none.
    :param signed: links in checkpoints, by position.
    :param stopped_at: the first entry that does not follow from the previous one.
    """

    key: Key
    position: int
    link: bytes
    end: ChainHead | None
    signed: Links = field(default_factory=dict)
    verified: int = 0
    stopped_at: Sealed | None = None
    broken: Break | None = None
    promised: Links = field(init=False)

    def __post_init__(self) -> None:
        self.promised = dict(self.signed)
        if self.end:
            self.promised.setdefault(self.end.position, bytes(self.end.link))

    def why_not(self, position: int) -> How:
        """How to report an entry whose link is not the promised one."""
        return How.REWRITTEN if position in self.signed else How.CHANGED


class Verification:
    """One pass over the chains, in the order in which their entries were recorded.

    Wherever the pass starts, each entry with a signed link is compared with what was signed: during
    the pass, or by its stored link if the pass starts after it. Of pruned entries, only the last
    has a link left. What was signed of earlier ones can only be compared with other statements, as
    :class:`Statements` does.

    :param since: start with the first entry recorded at or after this time, and trust the link of
        the entry before it; None for all.
    :param key: limits the pass to one chain; None for all.
    :param signed: the links in checkpoints.
    :param from_signed: start each chain after its last signed entry, with the signed link. A chain
        of which nothing was signed is read as a whole. Cannot be combined with ``since``.
    """

    def __init__(
        self, since: datetime | None, key: Key | None, signed: Signed, *, from_signed: bool = False
    ) -> None:
        self._key = key
        self._signed = signed
        self._since = since
        self._from_signed = from_signed
        self._chains: dict[Key, Chain] = {}
        for head in of_chain(ChainHead.objects.all(), key):
            chain = self._beginning(head)
            self._chains[chain.key] = chain
        for unknown in signed.keys() - self._chains.keys():
            if key in (None, unknown):
                self._chains[unknown] = Chain(unknown, 0, NOTHING, None, signed[unknown])
        self._entries = self._to_read()

    def count(self) -> int:
        """The approximate number of entries to read."""
        if self._since is not None:
            return self._entries.count()
        chains = self._chains.values()
        ahead = [chain.end.position - chain.position for chain in chains if chain.end]
        return sum(max(0, number) for number in ahead)

    def run(self, report: Callable[[int], object]) -> list[Chain]:
        """Read all entries, and return the chains with their results.

        :param report: called from time to time with the number of entries read since the last call.
        """
        unreported = 0
        chains = self._chains
        for id_, key, position, its_link, sealed_bytes in sealed_rows(self._entries):
            unreported += 1
            if unreported == REPORT_EVERY:
                report(unreported)
                unreported = 0
            chain = chains.get(key)
            if chain is None:  # started during the pass, or inserted without a head
                chain = chains[key] = Chain(key, 0, NOTHING, None)
            if chain.broken or chain.stopped_at:
                continue
            if (
                position != chain.position + 1
                or sha256(chain.link + sealed_bytes).digest() != its_link
            ):
                chain.stopped_at = Sealed(id_, key, position, its_link, sealed_bytes)
                continue
            chain.position = position
            chain.link = its_link
            chain.verified += 1
            if position in chain.promised and chain.promised[position] != its_link:
                chain.broken = Break(chain.why_not(position), position, id_)
        report(unreported)
        for chain in chains.values():
            if chain.stopped_at and not chain.broken:
                chain.broken = _diagnosed(chain, chain.stopped_at)
        self._look_at_the_ends()
        return sorted(chains.values(), key=lambda chain: chain.key)

    def _beginning(self, head: ChainHead) -> Chain:
        """The state of a chain before the first entry to be read."""
        key = (head.topic, head.partition)
        chain = Chain(
            key, head.pruned_position, bytes(head.pruned_link), head, self._signed.get(key, {})
        )
        if self._from_signed:
            last_signed = max(chain.signed, default=0)
            if last_signed > chain.position:
                chain.position, chain.link = last_signed, chain.signed[last_signed]
        elif self._since is not None:
            rows = of_chain(AuditEntry.objects.all(), key)
            first = rows.filter(recorded_at__gte=self._since).order_by("id").first()
            before = rows.filter(position__lt=first.position) if first else rows
            if last := before.order_by("-position").first():
                chain.position, chain.link = last.position, bytes(last.link)
        chain.broken = _broken_before(chain, head)
        return chain

    def _to_read(self) -> QuerySet[AuditEntry]:
        entries = of_chain(AuditEntry.objects.all(), self._key)
        if self._since is not None:
            return entries.filter(recorded_at__gte=self._since)
        if not self._from_signed or not self._signed:
            return entries
        ahead = Q(pk__in=[])
        for (topic, partition), chain in self._chains.items():
            ahead |= Q(topic=topic, partition=partition, position__gt=chain.position)
        return entries.filter(ahead)

    def _look_at_the_ends(self) -> None:
        """Check that no entry is missing at the end of a chain, and none was appended by others.

        Workers may have appended entries in the meantime, so the heads are read once more.
        """
        heads = of_chain(ChainHead.objects.all(), self._key)
        now = {(head.topic, head.partition): head.position for head in heads}
        for chain in self._chains.values():
            if chain.broken:
                continue
            end = chain.end
            if chain.position < max(chain.promised, default=0):
                chain.broken = Break(How.REMOVED, chain.position + 1, None)
            elif end and chain.signed.get(end.position, bytes(end.link)) != bytes(end.link):
                chain.broken = Break(How.REWRITTEN, end.position, None)
            elif chain.position > now.get(chain.key, 0):
                chain.broken = Break(How.INSERTED, now.get(chain.key, 0) + 1, None)


def _broken_before(chain: Chain, head: ChainHead) -> Break | None:
    """Find the first signed entry before the start of the pass that is not what was signed."""
    pruned = head.pruned_position
    if pruned > max(chain.signed, default=0):
        return Break(How.PRUNED, pruned, None)
    promised = {p: link for p, link in chain.promised.items() if pruned <= p <= chain.position}
    if promised.pop(pruned, head.pruned_link) != bytes(head.pruned_link):
        return Break(chain.why_not(pruned), pruned, None)
    positions = sorted(promised)
    for start in range(0, len(positions), AT_ONCE):
        wanted = positions[start : start + AT_ONCE]
        standing = _links(chain.key, wanted)
        for position in wanted:
            if position not in standing:
                return Break(How.REMOVED, position, None)
            for entry_id, its_link in standing[position]:
                if its_link != promised[position]:
                    return Break(chain.why_not(position), position, entry_id)
    return None


def _links(key: Key, positions: Sequence[int]) -> dict[int, list[tuple[int, bytes]]]:
    """The ids and links of the entries stored at each of these positions."""
    rows = of_chain(AuditEntry.objects.all(), key).filter(position__in=positions).order_by("id")
    found: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for position, entry_id, its_link in rows.values_list("position", "id", "link"):
        found[position].append((entry_id, bytes(its_link)))
    return found


def _diagnosed(chain: Chain, entry: Sealed) -> Break:
    """Find out what is wrong with the first entry that does not follow."""
    expected = chain.position + 1
    rows = of_chain(AuditEntry.objects.all(), chain.key)
    if chain.end is None or entry.position <= chain.position:
        return Break(How.INSERTED, entry.position, entry.id)
    standing = list(sealed(rows.filter(position__in=[expected, expected + 1])))
    here = [row for row in standing if row.position == expected]
    following = [row for row in standing if row.position == expected + 1]
    if successor := _successor(chain.link, sealed(rows)):
        return _displaced(expected, here, successor)
    if not here:
        return Break(How.REMOVED, expected, None)
    if rows.count() < chain.end.position - chain.end.pruned_position:
        return Break(How.REMOVED, expected, here[0].id)
    goes_on = any(link(here[0].link, row.bytes) == row.link for row in following)
    if expected > chain.end.position and not goes_on:
        return Break(How.INSERTED, expected, here[0].id)
    return Break(How.CHANGED, expected, here[0].id)


def _successor(previous: bytes, rows: Iterable[Sealed]) -> Sealed | None:
    """Find the entry that was recorded next, wherever it is now."""
    found = None
    for row in rows:  # to the end: COPY cannot be abandoned half-way
        if found is None and link(previous, row.bytes) == row.link:
            found = row
    return found


def _displaced(expected: int, here: list[Sealed], successor: Sealed) -> Break:
    """The expected entry is elsewhere: it was moved, or another one was inserted before it."""
    others = [row for row in here if row.id != successor.id]
    if others and successor.position in (expected, expected + 1):
        other = others[0]
        if link(successor.link, other.bytes) != other.link:
            return Break(How.INSERTED, expected, other.id)
    return Break(How.MOVED, expected, successor.id)


def of_chain(rows: QuerySet, key: Key | None) -> QuerySet:  # type: ignore[type-arg]
    """Limit rows to one chain; None for all."""
    return rows if key is None else rows.filter(topic=key[0], partition=key[1])
