"""The data of an event as plain values: what JSON allows and Python or a database does not."""

import json
import math
import re
from typing import Any

import msgspec

from eventbus.events.errors import InvalidEvent

MAX_DEPTH = 100
"""Arrays and objects within each other (RFC 8259, section 9, lets a reader set this). Python ends
at about 1,000 calls, those of the web framework included, so what a worker can just read would
fail on a page."""

MOST_DIGITS = 4_000
"""Python converts no integer of more than 4,300 digits from or to text."""

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"\[\]|\{\}")


def plain(raw: bytes | msgspec.Raw) -> Any:
    """JSON as plain dicts, lists and scalars. A number that cannot be held stays the text it was.

    :raises msgspec.DecodeError: when it is not JSON.
    :raises UnicodeDecodeError: when it is not UTF-8.
    """
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:  # well-formed, with a number out of range
        return json.loads(bytes(raw), parse_float=_float, parse_int=_int)


def refuse_deep(raw: bytes) -> None:
    """See to it that well-formed JSON is not nested too deeply.

    :raises InvalidEvent: when it is.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", raw).translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = _INNERMOST.sub(b"", brackets)
    if brackets:
        raise InvalidEvent(f"The event nests more than {MAX_DEPTH} arrays and objects")


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) <= MOST_DIGITS else text
