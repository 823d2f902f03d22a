"""Writes that publish nothing, on purpose, and the record of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db.models import F
from django.utils import timezone

from eventbus.events.context import current


@dataclass(frozen=True)
class Suppressed:
    """A block in which nothing is published.

    :param block: tells it from other blocks of the same reason.
    """

    block: UUID
    reason: str


_suppressed: ContextVar[Suppressed | None] = ContextVar("suppressed", default=None)


@contextmanager
def suppressed(*, reason: str) -> Iterator[None]:
    """Publish nothing of what published models go through inside the block.

    The changes are counted in :class:`~eventbus.capture.models.Suppression`, with the reason and
    the actor. Readers learn of them by the next event of the same subject, or by
    ``publish_snapshot``.

    :param reason: why, for those who ask later.
    :raises ValueError: when it is empty.
    """
    if not reason.strip():
        raise ValueError("suppressed() needs a reason")
    token = _suppressed.set(Suppressed(uuid4(), reason))
    try:
        yield
    finally:
        _suppressed.reset(token)


def suppression() -> Suppressed | None:
    """The block around the code that runs now, if it is in one."""
    return _suppressed.get()


def record(event: str, changes: int) -> None:
    """Count changes that were not published, in the transaction that is open.

    :param event: what would have been published, such as ``stock``.
    """
    from eventbus.capture.models import Suppression  # needs the app registry

    inside = suppression()
    if inside is None or not changes:
        return
    now = timezone.now()
    rows = Suppression.objects.filter(block=inside.block, event=event)
    if not rows.update(changes=F("changes") + changes, last_at=now):
        context = current()
        Suppression.objects.create(
            block=inside.block,
            event=event,
            reason=inside.reason,
            actor=context.actor(),
            correlation_id=context.correlation_id,
            changes=changes,
            first_at=now,
            last_at=now,
        )
