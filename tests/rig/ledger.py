"""The oracle: compares what the product service committed with what the audit service stored."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg


@dataclass(frozen=True)
class Account:
    """Numbers of events by outcome.

    :param sent: committed changes: the sum of the products' versions, which only committed saves
        increase.
    :param stored: entries of the audit record about them.
    :param doubled: entries about a change that has another entry.
    :param lost: changes without an entry.
    :param invented: entries about changes that were never committed.
    :param out_of_order: entries stored after a later change of their product.
    :param waiting: outbox rows that Kafka has not acknowledged.
    :param parked: events in the inbox that wait for a retry or a decision.
    """

    sent: int
    stored: int
    doubled: int
    lost: int
    invented: int
    out_of_order: int
    waiting: int
    parked: int

    @property
    def flawless(self) -> bool:
        """Each change stored exactly once and in order, and nothing left in the outbox."""
        flaws = (self.doubled, self.lost, self.invented, self.out_of_order, self.waiting)
        return not any(flaws) and self.sent == self.stored


class Ledger:
    """Reads both sides from their databases, bypassing all code under test.

    :param product: URL of the product service's database.
    :param audit: URL of the audit service's database.
    """

    def __init__(self, product: str, audit: str) -> None:
        self._product = product
        self._audit = audit

    def sent(self) -> int:
        """The number of committed changes."""
        return self._number(self._product, "SELECT coalesce(sum(version), 0) FROM products_product")

    def stored(self) -> int:
        """The number of entries about products."""
        return self._number(self._audit, f"SELECT count(*) {ENTRIES}")

    def waiting(self) -> int:
        """The number of outbox rows that Kafka has not acknowledged."""
        return self._number(self._product, f"SELECT count(*) {WAITING}")

    def parked(self) -> int:
        """The number of events in the inbox that wait for a retry or a decision."""
        return self._number(self._audit, f"SELECT count(*) {PARKED}")

    def entries(self) -> dict[str, list[int]]:
        """The sequence numbers of each product, by its id, in the order of storage."""
        entries: dict[str, list[int]] = defaultdict(list)
        query = f"SELECT subject, sequence {ENTRIES} ORDER BY id"
        for subject, sequence in _rows(self._audit, query):
            entries[str(subject)].append(int(sequence))
        return entries

    def account(self) -> Account:
        """Compare the two sides, change by change."""
        rows = _rows(self._product, "SELECT id::text, version FROM products_product")
        versions = {str(key): int(version) for key, version in rows}
        return compare(versions, self.entries(), waiting=self.waiting(), parked=self.parked())

    def _number(self, url: str, query: str) -> int:
        [[number]] = _rows(url, query)
        return int(number)


ENTRIES = "FROM audit_auditentry WHERE source = '/product_service'"
WAITING = "FROM eventbus_outbox_outboxevent WHERE published_at IS NULL"
PARKED = "FROM eventbus_inbox_parkedevent WHERE state IN ('failed', 'behind')"


def compare(
    versions: Mapping[str, int], entries: Mapping[str, Sequence[int]], waiting: int, parked: int
) -> Account:
    """The account for products, given their versions and their entries in stored order."""
    sent = Counter((key, number) for key, last in versions.items() for number in range(1, last + 1))
    stored = Counter((key, number) for key, numbers in entries.items() for number in numbers)
    return Account(
        sent=sent.total(),
        stored=stored.total(),
        doubled=stored.total() - len(stored),
        lost=len(sent - stored),
        invented=len(stored.keys() - sent.keys()),
        out_of_order=sum(map(_out_of_order, entries.values())),
        waiting=waiting,
        parked=parked,
    )


def _out_of_order(numbers: Sequence[int]) -> int:
    behind = 0
    highest = 0
    for number in numbers:
        behind += number < highest
        highest = max(highest, number)
    return behind


def _rows(url: str, query: str) -> list[tuple[int | str, ...]]:
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute(query).fetchall()
