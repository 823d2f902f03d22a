"""Adding to the chains: one for each topic partition, in the order of recording."""

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

    :param keys: whose they are.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        wanted = sorted(set(keys))
        self._heads = _locked(wanted)
        if missing := [key for key in wanted if key not in self._heads]:
            heads = [ChainHead(topic=topic, partition=partition) for topic, partition in missing]
            ChainHead.objects.bulk_create(heads, ignore_conflicts=True)
            self._heads = _locked(wanted)

    def note_replay(self, place: Place) -> None:
        """Remember that a replay records this message, which a worker may still be behind."""
        head = self._heads[place.topic, place.partition]
        head.replayed_to = max(head.replayed_to, place.offset)

    def may_have(self, place: Place) -> bool:
        """Whether a replay may have recorded this message."""
        return self._heads[place.topic, place.partition].replayed_to >= place.offset

    def time_of_recording(self, now: datetime) -> datetime:
        """A time at which entries can be added to all of these: time does not go back in a chain,
        even where the clocks of two hosts differ.
        """
        return max([now, *(h.recorded_at for h in self._heads.values() if h.recorded_at)])

    def add(self, key: Key, row: Sequence[Any]) -> tuple[int, bytes]:
        """Add an entry to the end of a chain.

        :param row: its values, in the order of ``SEALED``.
        :returns: its position and its link.
        """
        head = self._heads[key]
        head.position += 1
        head.recorded_at = row[RECORDED_AT]
        head.link = link(bytes(head.link), seal(row))
        return head.position, head.link

    def save(self) -> None:
        """Store where the chains end now."""
        ChainHead.objects.bulk_create(
            self._heads.values(),
            update_conflicts=True,
            unique_fields=["topic", "partition"],
            update_fields=["position", "link", "recorded_at", "replayed_to"],
        )


def _locked(keys: Sequence[Key]) -> dict[Key, ChainHead]:
    """In the order of the keys, so that two workers never wait for each other."""
    which = Q(pk__in=[])
    for topic, partition in keys:
        which |= Q(topic=topic, partition=partition)
    heads = ChainHead.objects.filter(which).select_for_update().order_by("topic", "partition")
    found = {}
    for head in heads:
        head.link = bytes(head.link)
        found[head.topic, head.partition] = head
    return found
