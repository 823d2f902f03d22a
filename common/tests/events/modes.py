"""Decoding an event in either content mode of the Kafka binding: structured and binary."""

import json
from typing import Any

from eventbus.events import Envelope, Event, Place, decode
from eventbus.events.codec import Headers

SMALLEST = {"specversion": "1.0", "id": "1", "source": "/x", "type": "y"}
STRUCTURED = ("content-type", b"application/cloudevents+json; charset=UTF-8")


def structured(
    attributes: dict[str, Any] | None = None,
    *,
    headers: Headers = (STRUCTURED,),
    **members: Any,
) -> Envelope:
    """A message in structured mode, decoded: ``SMALLEST`` with these attributes and members."""
    value = json.dumps({**SMALLEST, **(attributes or {}), **members}).encode()
    return decode(value, list(headers))


def binary(
    value: bytes | None = b"",
    attributes: dict[str, str] | None = None,
    content_type: str | None = None,
    further: Headers = (),
) -> Envelope:
    """A message in binary mode, decoded: the headers of ``SMALLEST`` with these attributes."""
    return decode(value, [*headers_of(attributes, content_type), *further])


def headers_of(
    attributes: dict[str, str] | None = None, content_type: str | None = None
) -> list[tuple[str, bytes]]:
    pairs = [
        (f"ce_{name}", text.encode()) for name, text in {**SMALLEST, **(attributes or {})}.items()
    ]
    return pairs + ([("content-type", content_type.encode())] if content_type else [])


def value_of(envelope: Envelope) -> Any:
    """The data as a handler of any event has it."""
    return Event(envelope, Place("t", 0, 0), b"").data
