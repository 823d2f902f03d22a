"""Who and what brings about the events that are published now: request, event or command."""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """What an event says of its origin.

    :param correlation_id: shared by all that follows from one request or command.
    :param actor: answers who it is when an event is published, not before: DRF knows the user
        only once the view runs.
    :param causation_id: the id of the event whose handler is at work, if one is.
    :param traceparent: the W3C trace context that came in, if one did.
    """

    correlation_id: str
    actor: Callable[[], str]
    causation_id: str | None = None
    traceparent: str | None = None


_current: ContextVar[Context | None] = ContextVar("event_context", default=None)


def current() -> Context:
    """The context of the request or handler at work; outside both, that of the process."""
    return _current.get() or _process_context()


@contextmanager
def use(context: Context) -> Iterator[None]:
    """Let events that are published inside the block tell of this context."""
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
    """What runs, by its command line: the Django command, else the program.

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
