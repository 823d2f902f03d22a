"""What the record lacks because Kafka deleted it before it could be recorded."""

from collections.abc import Iterator

from audit_service.audit.models import AuditEntry
from eventbus.inbox.models import LostMessages

Partition = tuple[str, int]
"""Topic and partition."""


class Losses:
    """The losses that the workers have noticed, read once for each partition."""

    def __init__(self) -> None:
        self._known: dict[Partition, list[LostMessages]] = {}

    def between(self, before: AuditEntry | None, entry: AuditEntry) -> bool:
        """Whether messages were lost just before an entry.

        :param before: the entry before it of the same subject; None where there is none.
        """
        key = (entry.topic, entry.partition)
        if key not in self._known:
            self._known[key] = list(LostMessages.of(*key))
        is_near = before is not None and (before.topic, before.partition) == key
        after = before.offset if before is not None and is_near else -1
        return any(loss.first < entry.offset and loss.last > after for loss in self._known[key])


def told(partition: Partition | None) -> Iterator[str]:
    """A line for each loss.

    :param partition: the only one to tell of; None for all.
    """
    rows = LostMessages.of(*partition) if partition else LostMessages.objects.order_by("pk")
    for row in rows:
        yield (
            f"{row.topic}/{row.partition}: {row.count:,} messages, offsets {row.first:,} to "
            f"{row.last:,}, are not recorded: Kafka had deleted them before they were read."
        )
