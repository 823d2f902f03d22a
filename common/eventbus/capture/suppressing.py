"""Writes that publish nothing, on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_reason: ContextVar[str | None] = ContextVar("suppressed", default=None)


@contextmanager
def suppressed(*, reason: str) -> Iterator[None]:
    """Publish nothing of what published models go through inside the block.

    :param reason: why, for those who ask later. It is recorded.
    :raises ValueError: when it is empty.
    """
    if not reason.strip():
        raise ValueError("suppressed() needs a reason")
    token = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(token)


def suppression() -> str | None:
    """Why nothing is to be published now; None where everything is."""
    return _reason.get()
