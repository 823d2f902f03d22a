"""Appends to the chains. There is one chain per topic partition, in the order of recording."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from audit_service.audit.models import ChainHead
from audit_service.audit.record.sealed import Key
from audit_service.audit.record.sealing import SEALED, link, seal
from eventbus.events import Place

RECORDED_AT = SEALED.index("recorded_at")


class Chains:
    """The chains of some topic partitions, locked until the transaction ends.

    :param keys: the topic partitions.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        wanted = sorted(set(keys))
        self._heads = _locked(wanted)
        if missing := [key for key in wanted if key not in self._heads]:
            heads = [ChainHead(topic=topic, partition=partition) for topic, partition in missing]
            ChainHead.objects.bulk_create(heads, ignore_conflicts=True)
            self._heads = _locked(wanted)

    def note_replay(self, place: Place) -> None:
        """Remember that a replay has recorded this message, which workers may still receive."""
        head = self._heads[place.topic, place.partition]
        head.replayed_to = max(head.replayed_to, place.offset)

    def may_have(self, place: Place) -> bool:
        """Whether a replay may have recorded this message already."""
        return self._heads[place.topic, place.partition].replayed_to >= place.offset

    def time_of_recording(self, now: datetime) -> datetime:
        """Return a time of recording for new entries. Time never goes back within a chain, even if
        the clocks of two hosts differ.
        """
        return max([now, *(h.recorded_at for h in self._heads.values() if h.recorded_at)])

    def add(self, key: Key, row: Sequence[Any]) -> tuple[int, bytes]:
        """Append an entry to a chain.

        :param row: its values, in the order of ``SEALED``.
        :returns: its position and its link.
        """
        head = self._heads[key]
        head.position += 1
        head.recorded_at = row[RECORDED_AT]
        head.link = link(bytes(head.link), seal(row))
        return head.position, head.link

    def save(self) -> None:
        """Store the new heads of the chains."""
        ChainHead.objects.bulk_create(
            self._heads.values(),
            update_conflicts=True,
            unique_fields=["topic", "partition"],
            update_fields=["position", "link", "recorded_at", "replayed_to"],
        )


def _locked(keys: Sequence[Key]) -> dict[Key, ChainHead]:
    """Lock the heads in sorted order, so that two workers never deadlock."""
    which = Q(pk__in=[])
    for topic, partition in keys:
        which |= Q(topic=topic, partition=partition)
    heads = ChainHead.objects.filter(which).select_for_update().order_by("topic", "partition")
    found = {}
    for head in heads:
        head.link = bytes(head.link)
        found[head.topic, head.partition] = head
    return found
