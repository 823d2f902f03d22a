"""Messages missing from the record, because Kafka deleted them before they were recorded."""

from collections.abc import Iterator

from audit_service.audit.models import AuditEntry
from eventbus.inbox.models import LostMessages

Partition = tuple[str, int]
"""Topic and partition."""


class Losses:
    """Losses noticed by the workers, read once per partition."""

    def __init__(self) -> None:
        self._known: dict[Partition, list[LostMessages]] = {}

    def between(self, before: AuditEntry | None, entry: AuditEntry) -> bool:
        """Whether messages were lost between two entries.

        :param before: the previous entry of the same subject; None if there is none.
        """
        key = (entry.topic, entry.partition)
        if key not in self._known:
            self._known[key] = list(LostMessages.of(*key))
        is_near = before is not None and (before.topic, before.partition) == key
        after = before.offset if before is not None and is_near else -1
        return any(loss.first < entry.offset and loss.last > after for loss in self._known[key])


def told(partition: Partition | None) -> Iterator[str]:
    """Describe each loss in one line.

    :param partition: limits the losses to one topic partition; None for all.
    """
    rows = LostMessages.of(*partition) if partition else LostMessages.objects.order_by("pk")
    for row in rows:
        yield (
            f"{row.topic}/{row.partition}: {row.count:,} messages, offsets {row.first:,} to "
            f"{row.last:,}, were not recorded: Kafka deleted them before they were read."
        )
