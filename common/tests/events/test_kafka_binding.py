"""The Kafka protocol binding of CloudEvents 1.0.2, sentence by sentence.

Each test quotes or names the section that it checks: "Kafka" is
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md, and
"Core" is https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.contracts.product import TOPIC
from common.tests.conftest import product
from common.tests.events.modes import SMALLEST, STRUCTURED, binary, headers_of, structured, value_of
from eventbus import outbox
from eventbus.events import InvalidEvent, Place, decode
from eventbus.inbox.models import InboxMessage
from eventbus.inbox.taking.message import Message
from eventbus.testing.bus import Bus

# Kafka 3: "If the header is present and its value is prefixed with the CloudEvents media type
# application/cloudevents [...] the receiver uses structured mode, otherwise it defaults to binary."


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+json",
        "application/cloudevents+json; charset=UTF-8",
        "Application/CloudEvents+JSON",
        " application/cloudevents+json ;charset=utf-8",
    ],
)
def test_kafka_3_the_content_type_decides_for_structured_mode(content_type: str) -> None:
    headers = [("content-type", content_type.encode())]
    assert structured(headers=headers, data={"a": 1}).data == msgspec.Raw(b'{"a": 1}')


def test_kafka_3_3_3_a_structured_message_may_carry_the_headers_of_binary_mode() -> None:
    attributes = {"time": "2026-11-01T12:00:00Z", "subject": "9"}
    with_headers = structured(attributes, headers=[*headers_of(), STRUCTURED], data={"total": 7})
    assert with_headers == structured(attributes, data={"total": 7})
    assert (with_headers.subject, value_of(with_headers)) == ("9", {"total": 7})
    assert with_headers.time is not None


def test_kafka_3_a_content_type_of_the_data_decides_for_binary_mode() -> None:
    inner = json.dumps({**SMALLEST, "id": "inner"}).encode()
    assert binary(inner, content_type="application/json").id == "1"


def test_kafka_3_without_a_content_type_it_is_binary_mode_where_headers_say_so() -> None:
    """And structured otherwise, which is ours: Debezium's outbox router sends it so."""
    inner = json.dumps({**SMALLEST, "id": "inner"}).encode()
    assert binary(inner).id == "1"
    assert structured(headers=[]).id == "1"
    assert structured(headers=[("traceparent", b"00")]).id == "1"


@pytest.mark.parametrize("headers", [[], headers_of()])
@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("application/cloudevents+avro", "cloudevents\\+avro"),
        ("application/cloudevents", "cloudevents"),
        ("application/cloudevents-batch+json", "batch"),
    ],
)
def test_kafka_3_a_format_that_we_cannot_read_is_refused_by_name(
    content_type: str, said: str, headers: Sequence[tuple[str, bytes]]
) -> None:
    with pytest.raises(InvalidEvent, match=said):
        structured(headers=[*headers, ("content-type", content_type.encode())])


def test_kafka_3_neither_mode_is_said_what_binary_mode_lacks() -> None:
    with pytest.raises(InvalidEvent, match=r"application/avro.*ce_specversion"):
        decode(b"\x00", [("content-type", b"application/avro")])


# Kafka 3.1: key mapping.


def test_kafka_3_1_the_key_is_the_record_key_and_partitionkey_only_stands_in_for_it() -> None:
    envelope = json.dumps({**SMALLEST, "partitionkey": "p"}).encode()
    place = Place("t", 0, 0)
    assert Message.read(place, b"k", envelope).held_key == "k"
    assert Message.read(place, None, envelope).held_key == "p"


@pytest.mark.django_db
def test_kafka_3_1_our_key_is_the_partitionkey_which_stays_in_the_event(bus: Bus) -> None:
    outbox.publish(product(7))
    bus.relay()
    [record] = bus.kafka.records(TOPIC)
    told = json.loads(record.value)
    assert record.key.decode() == told["partitionkey"] == told["subject"] == "7"


@pytest.mark.django_db
def test_kafka_3_3_1_we_say_the_media_type_of_the_event_format(bus: Bus) -> None:
    outbox.publish(product(7))
    bus.relay()
    [record] = bus.kafka.records(TOPIC)
    assert record.headers == [("content-type", b"application/cloudevents+json")]


# Kafka 3.2: binary mode.


def test_kafka_3_2_1_the_content_type_is_the_datacontenttype() -> None:
    assert binary(b"<a/>", content_type="application/xml").datacontenttype == "application/xml"
    attributes = {"datacontenttype": "text/plain"}
    assert binary(b"{}", attributes, "application/json").datacontenttype == "application/json"


def test_kafka_3_2_2_the_value_is_the_data_as_it_is() -> None:
    assert value_of(binary(b'{"a": 1}', content_type="application/json")) == {"a": 1}
    assert value_of(binary(b"\xff\x00", content_type="application/avro")) == b"\xff\x00"


@pytest.mark.parametrize("value", [None, b""])
@pytest.mark.parametrize("content_type", [None, "application/json", "application/avro"])
def test_kafka_3_2_2_without_a_value_there_is_no_data(
    value: bytes | None, content_type: str | None
) -> None:
    """A tombstone with the headers of an event is an event, as 1.0.3 says in so many words."""
    envelope = binary(value, content_type=content_type)
    assert (envelope.id, value_of(envelope)) == ("1", None)


@pytest.mark.parametrize("value", [None, b""])
def test_a_tombstone_without_headers_is_no_event(value: bytes | None) -> None:
    for headers in ([], [STRUCTURED]):
        with pytest.raises(InvalidEvent, match="no value"):
            decode(value, headers)


TEXTS = ["a b", "a%20b", "a%2Bb", "a+b", "é", "%C3%A9", "%", "%zz", "日本", "100 %"]


@pytest.mark.parametrize("text", TEXTS)
def test_kafka_3_2_3_header_values_are_utf_8_and_nothing_else(text: str) -> None:
    attributes = {"id": text, "source": text, "type": text, "subject": text}
    envelope = binary(b"", attributes)
    assert (envelope.id, envelope.source, envelope.type, envelope.subject) == (text,) * 4


@pytest.mark.django_db
def test_kafka_3_2_3_two_ids_never_become_one(bus: Bus) -> None:
    """By percent-decoding they did, and the second event was dropped as a copy of the first."""
    for text in TEXTS:
        headers = headers_of({"id": text, "type": "product.created"})
        bus.send(TOPIC, b"{}", headers=headers)
    bus.consume()
    assert set(InboxMessage.objects.values_list("event_id", flat=True)) == set(TEXTS)


def test_kafka_3_2_3_what_is_not_utf_8_is_refused_where_it_is_ours_and_let_be_elsewhere() -> None:
    foreign = ("trace-bin", b"\xff\xfe")
    assert binary(b"", further=[foreign]).id == "1"
    assert structured(headers=[STRUCTURED, foreign]).id == "1"
    with pytest.raises(InvalidEvent, match="ce_subject is not UTF-8"):
        binary(b"", further=[("ce_subject", b"\xff")])


def test_kafka_3_2_3_an_attribute_has_one_header() -> None:
    assert binary(b"", further=[("ce_id", b"1")]).id == "1"
    with pytest.raises(InvalidEvent, match="ce_id comes twice"):
        binary(b"", further=[("ce_id", b"2")])


def test_kafka_3_2_3_a_header_without_a_value_is_an_unset_attribute() -> None:
    assert binary(b"", further=[("ce_subject", None)]).subject is None


def test_core_attribute_names_are_in_lower_case_in_both_modes() -> None:
    """They consist of lower-case letters and digits."""
    with pytest.raises(InvalidEvent, match="id"):
        decode(b"", [(name.replace("id", "ID"), raw) for name, raw in headers_of()])
    with pytest.raises(InvalidEvent, match="id"):
        decode(json.dumps({**SMALLEST, "id": None, "ID": "1"}).encode(), [STRUCTURED])
    assert binary(b"", further=[("ce_Subject", b"9")]).subject is None
    assert structured(Subject="9").subject is None


def test_core_data_is_no_attribute_so_no_header_brings_it() -> None:
    further = [("ce_data", b"1"), ("ce_data_base64", b"AA=="), ("ce_datacontenttype", b"a/b")]
    envelope = binary(b"2", further=further)
    assert (value_of(envelope), envelope.datacontenttype) == (2, "application/json")


@pytest.mark.parametrize("version", ["0.3", "1.1", "2.0", "1", ""])
def test_core_another_specversion_is_refused_by_name_in_both_modes(version: str) -> None:
    with pytest.raises(InvalidEvent, match="specversion"):
        binary(b"", {"specversion": version})
    with pytest.raises(InvalidEvent, match="specversion"):
        structured(specversion=version)


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_core_a_required_attribute_that_is_missing_or_empty_is_named_in_both_modes(
    name: str,
) -> None:
    without = [(header, raw) for header, raw in headers_of() if header != f"ce_{name}"]
    for call in (
        lambda: decode(b"1", [*without, ("content-type", b"application/json")]),
        lambda: binary(b"1", {name: ""}),
        lambda: structured({name: None}),
        lambda: structured({name: ""}),
    ):
        with pytest.raises(InvalidEvent, match=name):
            call()


# The same event in both modes.

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda children: st.lists(children) | st.dictionaries(st.text(max_size=5), children),
    max_leaves=10,
)  # fmt: skip
ATTRIBUTES = st.fixed_dictionaries(
    {"id": NAMES, "source": NAMES, "type": NAMES},
    optional={
        "subject": NAMES,
        "partitionkey": NAMES,
        "actor": NAMES,
        "correlationid": NAMES,
        "time": st.sampled_from(
            ["2026-11-01T12:00:00.5+01:00", "0001-01-01T00:00:00+01:00", "2016-12-31T23:59:60Z"]
        ),
        "sequence": st.integers(-(2**65), 2**65),
    },
)


@given(ATTRIBUTES, VALUES, st.booleans())
@example({"id": "a%20b", "source": "/x", "type": "y", "sequence": 7}, {"a": "%"}, True)
def test_the_same_event_gives_the_same_envelope_in_both_modes(
    attributes: dict[str, Any], data: object, in_base64: bool
) -> None:
    payload = json.dumps(data).encode()
    members = {"data_base64": b64encode(payload).decode()} if in_base64 else {"data": data}
    one = structured(attributes, datacontenttype="application/json", **members)
    texts = {name: str(value) for name, value in attributes.items()}
    assert one == binary(payload, texts, "application/json")
    as_text = {**attributes, "sequence": str(attributes.get("sequence", 0))}
    as_number = {**attributes, "sequence": attributes.get("sequence", 0)}
    assert structured(as_text) == structured(as_number) == binary(None, as_text)


@given(ATTRIBUTES, st.text(st.characters(codec="utf-8")), st.sampled_from(["text/plain", "a/xml"]))
def test_data_that_is_no_json_gives_the_same_envelope_in_both_modes(
    attributes: dict[str, Any], text: str, media_type: str
) -> None:
    texts = {name: str(value) for name, value in attributes.items()}
    in_binary = binary(text.encode(), texts, media_type)
    encoded = b64encode(text.encode()).decode()
    in_base64 = structured(attributes, datacontenttype=media_type, data_base64=encoded)
    assert in_base64 == structured(attributes, datacontenttype=media_type, data=text)
    if text:  # an empty value says that there is no data
        assert in_base64 == in_binary
        assert value_of(in_binary) == text.encode()
