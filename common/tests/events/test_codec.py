"""The envelope: the official SDK reads ours, and we read those of others."""

import json
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_binary,
    from_structured,
    to_binary,
    to_structured,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from common.contracts.product import TOPIC
from common.tests.conftest import product
from common.tests.events.modes import SMALLEST
from eventbus import outbox
from eventbus.events import Envelope, InvalidEvent, decode
from eventbus.events.codec import headers_from_text, headers_to_text
from eventbus.testing.bus import Bus


def as_json(envelope: Envelope) -> object:
    return msgspec.json.decode(msgspec.json.encode(envelope))


def sdk_event(**attributes: Any) -> CloudEvent:
    data = attributes.pop("data", {"total": "7.00"})
    return CloudEvent(
        {**SMALLEST, "datacontenttype": "application/json", "subject": "9", **attributes}, data
    )


@pytest.mark.django_db
def test_our_envelope_goes_through_the_official_sdk_and_back(bus: Bus) -> None:
    outbox.publish(product(7))
    bus.relay()
    [record] = bus.kafka.records(TOPIC)
    assert record.value is not None
    message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    theirs = from_structured(message, JSONFormat(), CloudEvent)
    ours = json.loads(record.value)
    assert theirs.get_data() == ours.pop("data")
    assert theirs.get_extension("sequence") == ours["sequence"] == 1
    assert (theirs.get_id(), theirs.get_type()) == (ours["id"], "product.created")

    back = to_structured(theirs, JSONFormat())
    read_back = decode(back.value, back.headers.items())
    assert as_json(read_back) == as_json(decode(record.value, record.headers))


def test_the_sdks_binary_mode_is_read_as_its_structured_mode_is() -> None:
    """With a source that needs no escaping: the SDK encodes headers as for HTTP, against 3.2.3."""
    event = sdk_event(source="x")
    binary, structured = to_binary(event, JSONFormat()), to_structured(event, JSONFormat())
    assert from_binary(binary, JSONFormat(), CloudEvent).get_data() == {"total": "7.00"}
    ours = decode(binary.value, binary.headers.items())
    theirs = decode(structured.value, structured.headers.items())
    assert (ours.id, ours.source, ours.type, ours.subject) == ("1", "x", "y", "9")
    assert theirs.subject == ours.subject
    assert msgspec.json.decode(ours.data) == msgspec.json.decode(theirs.data) == {"total": "7.00"}


@pytest.mark.parametrize("missing", list(SMALLEST))
def test_a_missing_attribute_is_named(missing: str) -> None:
    event = {name: value for name, value in SMALLEST.items() if name != missing}
    with pytest.raises(InvalidEvent, match=missing):
        decode(json.dumps(event).encode())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"time": "yesterday"}, "time"),
        ({"subject": "x" * 300}, "subject"),
    ],
)
def test_a_wrong_attribute_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidEvent, match=named):
        decode(json.dumps({**SMALLEST, **changes}).encode())


@pytest.mark.parametrize(
    ("sequence", "number"),
    [
        (7, 7),
        ("7", 7),
        ("007", 7),
        (0, 0),
        (None, None),
        ("a7", None),
        ("9" * 30, None),
        ("1_0", None),
        (" 7", None),
        ("\u0667", None),
        ("+7", None),
        ("9" * 5000, None),
        (10**30, None),
    ],
)
def test_the_sequence_may_be_number_or_text(sequence: int | str | None, number: int | None) -> None:
    envelope = decode(json.dumps({**SMALLEST, "sequence": sequence}).encode())
    assert envelope.sequence_number == number


def test_another_content_type_is_named() -> None:
    with pytest.raises(InvalidEvent, match="avro"):
        decode(json.dumps(SMALLEST).encode(), [("content-type", b"application/avro")])


def test_any_header_bytes_survive_a_text_column() -> None:
    headers = (("trace", bytes(range(256))), ("naïve", b""))
    assert headers_from_text(headers_to_text(headers)) == headers


@pytest.mark.parametrize("name", ["id", "subject", "actor", "correlationid"])
def test_an_attribute_with_a_nul_is_refused_in_both_modes(name: str) -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "/x", "type": "t", name: "a\x00b"}
    headers = [(f"ce_{key}", value.encode()) for key, value in attributes.items()]
    for value, given in [(msgspec.json.encode(attributes), []), (b"{}", headers)]:
        with pytest.raises(InvalidEvent, match=f"{name} contains a NUL"):
            decode(value, given)


def test_a_nul_in_the_data_is_accepted() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "data": "a\x00b"}
    assert msgspec.json.decode(decode(msgspec.json.encode(event)).data) == "a\x00b"
