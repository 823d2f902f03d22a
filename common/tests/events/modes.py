"""Decoding an event in either content mode of the Kafka binding: structured and binary."""

import json

from eventbus.events import Event, Place, decode

SMALLEST = {"specversion": "1.0", "id": "1", "source": "/x", "type": "y"}
STRUCTURED = ("content-type", b"application/cloudevents+json; charset=UTF-8")


def structured(attributes=None, *, headers=(STRUCTURED,), **members):
    value = json.dumps({**SMALLEST, **(attributes or {}), **members}).encode()
    return decode(value, list(headers))


def binary(value=b"", attributes=None, content_type=None, further=()):
    return decode(value, headers_of(attributes, content_type) + list(further))


def headers_of(attributes=None, content_type=None):
    pairs = [
        (f"ce_{name}", text.encode()) for name, text in {**SMALLEST, **(attributes or {})}.items()
    ]
    return pairs + ([("content-type", content_type.encode())] if content_type else [])


def value_of(envelope):
    """The data as a handler of any event has it."""
    return Event(envelope, Place("t", 0, 0), b"").data
