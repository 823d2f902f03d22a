"""Event data as plain values, including what JSON allows but Python or databases do not."""

import json
import math
import re
from typing import Any

import msgspec

from eventbus.events.errors import InvalidEvent

MAX_DEPTH = 100
"""Limit of nested arrays and objects (RFC 8259, section 9, allows one). Python's recursion limit of
1,000 includes the frames of the web framework, so data that a worker can just decode could fail on
a page."""

MOST_DIGITS = 4_000
"""Python refuses to convert integers of more than 4,300 digits from or to text."""

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"\[\]|\{\}")


def plain(raw: bytes | msgspec.Raw) -> Any:
    """JSON as plain dicts, lists and scalars. A number that cannot be represented stays text.

    :raises msgspec.DecodeError: if it is not JSON.
    :raises UnicodeDecodeError: if it is not UTF-8.
    """
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:  # well-formed, with a number out of range
        return json.loads(bytes(raw), parse_float=_float, parse_int=_int)


def refuse_deep(raw: bytes) -> None:
    """Reject well-formed JSON that is nested too deeply.

    :raises InvalidEvent: if it exceeds :data:`MAX_DEPTH`.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", raw).translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = _INNERMOST.sub(b"", brackets)
    if brackets:
        raise InvalidEvent(f"The event nests arrays and objects more than {MAX_DEPTH} levels deep")


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) <= MOST_DIGITS else text
