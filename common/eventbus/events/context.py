"""The origin of published events: the current request, event or command."""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eventbus.events.envelope import Event


@dataclass(frozen=True)
class Context:
    """The origin that an event records.

    :param correlation_id: shared by everything that follows from one request or command.
    :param actor: returns the actor; called only when an event is published, since DRF knows the
        user only once the view runs.
    :param causation_id: the id of the event whose handler is running, if any.
    :param traceparent: the incoming W3C trace context, if any.
    """

    correlation_id: str
    actor: Callable[[], str]
    causation_id: str | None = None
    traceparent: str | None = None


class CauseUnknown(RuntimeError):
    """An event is published while handling several, and its cause was not stated."""


@dataclass(frozen=True)
class _Unknown:
    """Takes the place of a context where the cause is ambiguous."""

    hint: str


_current: ContextVar[Context | _Unknown | None] = ContextVar("event_context", default=None)


def current() -> Context:
    """The context of the current request or handler; outside both, that of the process.

    :raises CauseUnknown: in a batch handler, outside :func:`caused_by`.
    """
    context = _current.get()
    if isinstance(context, _Unknown):
        raise CauseUnknown(context.hint)
    return context or _process_context()


@contextmanager
def use(context: Context) -> Iterator[None]:
    """Attach this context to events that are published inside the block."""
    with _set(context):
        yield


@contextmanager
def caused_by(event: Event[Any]) -> Iterator[None]:
    """Make an event the cause of what is published inside the block.

    Published events inherit its correlation id, actor and trace, and name it in ``causationid``.
    A handler of single events already runs in such a block; a batch handler opens one for each
    event it publishes for::

        for event in events:
            with caused_by(event):
                outbox.publish(...)

    :param event: the event that is being handled.
    """
    envelope = event.envelope
    actor = envelope.actor or _process_context().actor()
    context = Context(
        correlation_id=envelope.correlationid or envelope.id,
        causation_id=envelope.id,
        actor=lambda: actor,
        traceparent=envelope.traceparent,
    )
    with _set(context):
        yield


@contextmanager
def cause_to_be_said(hint: str) -> Iterator[None]:
    """Refuse to publish inside the block, except inside :func:`caused_by`.

    :param hint: the message of the :class:`CauseUnknown`.
    """
    with _set(_Unknown(hint)):
        yield


@contextmanager
def _set(context: Context | _Unknown) -> Iterator[None]:
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


@cache
def _process_context() -> Context:
    actor = f"system:{command_name(sys.argv)}"
    return Context(correlation_id=str(uuid.uuid4()), actor=lambda: actor)


def command_name(argv: list[str]) -> str:
    """The name of the running Django command, or else of the program.

    >>> command_name(["manage.py", "import_products", "shop.csv"])
    'import_products'
    >>> command_name(["/usr/bin/gunicorn", "product_service.wsgi"])
    'gunicorn'
    """
    path = Path(argv[0]) if argv else Path("python")
    if path.name == "__main__.py":
        path = path.parent
    if path.name not in ("manage.py", "django-admin", "django"):
        return path.stem or "python"
    words = [word for word in argv[1:] if not word.startswith("-")]
    return words[0] if words else path.stem
