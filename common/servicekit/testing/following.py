"""The files that one event passes through, as traced and as listed in the documentation.

A file is on the path of an event if one of its functions, methods or properties takes the event as
an argument, returns it, or gets it from a function that it calls. The event counts in each of its
forms: the contract instance, the outbox row, Kafka's record, the message, the envelope, or what
handlers get; alone, or within lists, tuples, sets and dicts. Its bytes, its id or its type alone do
not count, nor do tests, ``testing`` packages and installed packages.

The path begins with the saved row, and ends when the handler of another service returns. Files are
in the order in which the event first reaches them.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from eventbus.events import Contract, Envelope, Event
from eventbus.testing.kafka import Record

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "architecture.md"
TABLE = re.compile(
    r"^\| file \| what happens to the event \|\n\|[- |]+\|\n((?:\|.*\n)+)", re.MULTILINE
)
FILE = re.compile(r"^\| `([^`]+)`", re.MULTILINE)
FORMS = (Contract, Envelope, Event, Record)
NOT_ON_THE_WAY = {"testing", "tests", ".venv"}
NESTED = 3
"""Maximum nesting of a form in containers: Kafka's records are in lists in a dict."""


def listed() -> list[str]:
    """The files that the documentation lists, in order."""
    table = TABLE.search(DOCUMENT.read_text())
    if table is None:
        raise LookupError(f"{DOCUMENT} has no table of the files of one event")
    return FILE.findall(table[1])


def followed(
    work: Callable[[], object], *forms: type, until: Callable[..., object] | None = None
) -> list[str]:
    """The files that an event passes through during some work.

    :param work: publishes, relays or consumes one event, in this thread.
    :param forms: further types that the event takes, such as the model that is saved.
    :param until: a function whose return ends the path.
    """
    walk = Walk((*FORMS, *forms), until)
    sys.setprofile(walk)
    try:
        work()
    finally:
        sys.setprofile(None)
    return walk.files


class Walk:
    """A profile function (:func:`sys.setprofile`) that collects files."""

    def __init__(self, forms: tuple[type, ...], until: Callable[..., object] | None) -> None:
        self.files: list[str] = []
        self._forms = forms
        self._last = until.__code__ if isinstance(until, FunctionType) else None
        self._paths: dict[CodeType, str | None] = {}

    def __call__(self, frame: FrameType, what: str, returned: Any) -> None:
        path = self._path_of(frame.f_code)
        if path is None or what not in ("call", "return"):
            return
        if what == "call" and any(map(self._is_event, arguments(frame))):
            self._note(path)
        if what == "return" and self._is_event(returned):
            self._note(path)
            if frame.f_back is not None:
                self._note(self._path_of(frame.f_back.f_code))
        if what == "return" and frame.f_code is self._last:
            sys.setprofile(None)

    def _note(self, path: str | None) -> None:
        if path is not None and path not in self.files:
            self.files.append(path)

    def _path_of(self, code: CodeType) -> str | None:
        if code not in self._paths:
            path = Path(code.co_filename)
            inside = path.is_relative_to(ROOT) and path.relative_to(ROOT)
            ours = inside and NOT_ON_THE_WAY.isdisjoint(inside.parts)
            self._paths[code] = str(inside) if ours else None
        return self._paths[code]

    def _is_event(self, value: Any, depth: int = 0) -> bool:
        if isinstance(value, self._forms):
            return True
        if depth == NESTED or type(value) not in (list, tuple, set, frozenset, dict):
            return False
        inner = value.values() if type(value) is dict else value
        return any(self._is_event(one, depth + 1) for one in inner)


def arguments(frame: FrameType) -> Iterator[Any]:
    """The arguments of a function, from a frame that has just been entered."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args and **kwargs
    return (frame.f_locals.get(name) for name in code.co_varnames[:count])
