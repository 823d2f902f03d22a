"""The Kafka protocol binding and the JSON event format of CloudEvents 1.0.2, sentence by sentence.

Each test quotes or names the section that it checks: "Kafka" is
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md,
"JSON" is https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md, and
"Core" is https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md.
"""

import json
from base64 import b64encode

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.contracts.product import TOPIC
from common.tests.conftest import product
from eventbus import outbox
from eventbus.events import ContractViolation, Event, InvalidEvent, Place, decode
from eventbus.events.codec import is_json
from eventbus.events.data import MAX_DEPTH
from eventbus.inbox.models import InboxMessage
from eventbus.inbox.taking.message import Message

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
    """The data as a handler of ``AnyEvent`` sees it."""
    return Event(envelope, Place("t", 0, 0), b"").data


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
def test_kafka_3_the_content_type_decides_for_structured_mode(content_type):
    headers = [("content-type", content_type.encode())]
    assert structured(headers=headers, data={"a": 1}).data == msgspec.Raw(b'{"a": 1}')


def test_kafka_3_3_3_a_structured_message_may_carry_the_headers_of_binary_mode():
    attributes = {"time": "2026-11-01T12:00:00Z", "subject": "9"}
    with_headers = structured(attributes, headers=[*headers_of(), STRUCTURED], data={"total": 7})
    assert with_headers == structured(attributes, data={"total": 7})
    assert (with_headers.subject, value_of(with_headers)) == ("9", {"total": 7})
    assert with_headers.time is not None


def test_kafka_3_a_content_type_of_the_data_decides_for_binary_mode():
    inner = json.dumps({**SMALLEST, "id": "inner"}).encode()
    assert binary(inner, content_type="application/json").id == "1"


def test_kafka_3_without_a_content_type_it_is_binary_mode_where_headers_say_so():
    """Structured otherwise, which is our choice: Debezium's outbox router sends it like that."""
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
        ("application/cloudevents-batch+json", "Batched"),
    ],
)
def test_kafka_3_a_format_that_we_cannot_read_is_refused_by_name(content_type, said, headers):
    with pytest.raises(InvalidEvent, match=said):
        structured(headers=[*headers, ("content-type", content_type.encode())])


def test_json_4_a_batch_is_refused_with_a_remedy():
    with pytest.raises(InvalidEvent, match=r"Batched mode.*send one"):
        decode(b"[]", [("content-type", b"application/cloudevents-batch+json")])


def test_kafka_3_without_a_mode_the_error_names_what_binary_mode_lacks():
    with pytest.raises(InvalidEvent, match=r"application/avro.*ce_specversion"):
        decode(b"\x00", [("content-type", b"application/avro")])


# Kafka 3.1: key mapping.


def test_kafka_3_1_the_key_is_the_record_key_and_partitionkey_only_stands_in_for_it():
    envelope = json.dumps({**SMALLEST, "partitionkey": "p"}).encode()
    place = Place("t", 0, 0)
    assert Message.read(place, b"k", envelope).held_key == "k"
    assert Message.read(place, None, envelope).held_key == "p"


@pytest.mark.django_db
def test_kafka_3_1_our_key_is_the_partitionkey_which_stays_in_the_event(bus):
    outbox.publish(product(7))
    bus.relay()
    [record] = bus.kafka.records(TOPIC)
    members = json.loads(record.value)
    assert record.key.decode() == members["partitionkey"] == members["subject"] == "7"


@pytest.mark.django_db
def test_kafka_3_3_1_we_send_the_media_type_of_the_event_format(bus):
    outbox.publish(product(7))
    bus.relay()
    [record] = bus.kafka.records(TOPIC)
    assert record.headers == [("content-type", b"application/cloudevents+json")]


# Kafka 3.2: binary mode.


def test_kafka_3_2_1_the_content_type_is_the_datacontenttype():
    assert binary(b"<a/>", content_type="application/xml").datacontenttype == "application/xml"
    attributes = {"datacontenttype": "text/plain"}
    assert binary(b"{}", attributes, "application/json").datacontenttype == "application/json"


def test_kafka_3_2_2_the_value_is_the_data_as_it_is():
    assert value_of(binary(b'{"a": 1}', content_type="application/json")) == {"a": 1}
    assert value_of(binary(b"\xff\x00", content_type="application/avro")) == b"\xff\x00"


@pytest.mark.parametrize("value", [None, b""])
@pytest.mark.parametrize("content_type", [None, "application/json", "application/avro"])
def test_kafka_3_2_2_without_a_value_there_is_no_data(value, content_type):
    """A tombstone with the headers of an event is an event, as 1.0.3 states explicitly."""
    envelope = binary(value, content_type=content_type)
    assert (envelope.id, value_of(envelope)) == ("1", None)


@pytest.mark.parametrize("value", [None, b""])
def test_a_tombstone_without_headers_is_no_event(value):
    for headers in ([], [STRUCTURED]):
        with pytest.raises(InvalidEvent, match="no value"):
            decode(value, headers)


TEXTS = ["a b", "a%20b", "a%2Bb", "a+b", "é", "%C3%A9", "%", "%zz", "日本", "100 %"]


@pytest.mark.parametrize("text", TEXTS)
def test_kafka_3_2_3_header_values_are_utf_8_and_nothing_else(text):
    attributes = {"id": text, "source": text, "type": text, "subject": text}
    envelope = binary(b"", attributes)
    assert (envelope.id, envelope.source, envelope.type, envelope.subject) == (text,) * 4


@pytest.mark.django_db
def test_kafka_3_2_3_two_ids_never_become_one(bus):
    """With percent-decoding they did, and the second event was discarded as a duplicate."""
    for text in TEXTS:
        headers = headers_of({"id": text, "type": "product.created"})
        bus.send(TOPIC, b"{}", headers=headers)
    bus.consume()
    assert set(InboxMessage.objects.values_list("event_id", flat=True)) == set(TEXTS)


def test_kafka_3_2_3_only_headers_of_cloudevents_must_be_utf_8():
    foreign = ("trace-bin", b"\xff\xfe")
    assert binary(b"", further=[foreign]).id == "1"
    assert structured(headers=[STRUCTURED, foreign]).id == "1"
    with pytest.raises(InvalidEvent, match="ce_subject is not UTF-8"):
        binary(b"", further=[("ce_subject", b"\xff")])


def test_kafka_3_2_3_an_attribute_has_one_header():
    assert binary(b"", further=[("ce_id", b"1")]).id == "1"
    with pytest.raises(InvalidEvent, match="ce_id occurs twice"):
        binary(b"", further=[("ce_id", b"2")])


def test_kafka_3_2_3_a_header_without_a_value_is_an_unset_attribute():
    assert binary(b"", further=[("ce_subject", None)]).subject is None


def test_core_attribute_names_are_in_lower_case_in_both_modes():
    """They consist of lower-case letters and digits."""
    with pytest.raises(InvalidEvent, match="id"):
        decode(b"", [(name.replace("id", "ID"), raw) for name, raw in headers_of()])
    with pytest.raises(InvalidEvent, match="id"):
        decode(json.dumps({**SMALLEST, "id": None, "ID": "1"}).encode(), [STRUCTURED])
    assert binary(b"", further=[("ce_Subject", b"9")]).subject is None
    assert structured(Subject="9").subject is None


def test_core_data_is_no_attribute_so_no_header_brings_it():
    further = [("ce_data", b"1"), ("ce_data_base64", b"AA=="), ("ce_datacontenttype", b"a/b")]
    envelope = binary(b"2", further=further)
    assert (value_of(envelope), envelope.datacontenttype) == (2, "application/json")


@pytest.mark.parametrize("version", ["0.3", "1.1", "2.0", "1", ""])
def test_core_another_specversion_is_refused_by_name_in_both_modes(version):
    with pytest.raises(InvalidEvent, match="specversion"):
        binary(b"", {"specversion": version})
    with pytest.raises(InvalidEvent, match="specversion"):
        structured(specversion=version)


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_core_a_required_attribute_that_is_missing_or_empty_is_named_in_both_modes(name):
    without = [(header, raw) for header, raw in headers_of() if header != f"ce_{name}"]
    for call in (
        lambda: decode(b"1", [*without, ("content-type", b"application/json")]),
        lambda: binary(b"1", {name: ""}),
        lambda: structured({name: None}),
        lambda: structured({name: ""}),
    ):
        with pytest.raises(InvalidEvent, match=name):
            call()


# JSON 2.2 and 3: attributes and data.


@pytest.mark.parametrize("name", ["subject", "time", "datacontenttype", "sequence", "data_base64"])
def test_json_2_2_null_is_the_same_as_left_out(name):
    assert structured({name: None}) == structured()


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        (None, True),
        ("application/json", True),
        ("APPLICATION/JSON; charset=utf-8", True),
        ("text/json", True),
        ("application/vnd.shop.order+json", True),
        ("application/cloudevents+json;a=b", True),
        ("application/notjson", False),
        ("text/x-json", False),
        ("application/geo+json-seq", False),
        ("application/json-seq", False),
        ("application/xml; profile=a/json", False),
        ("json", False),
    ],
)
def test_json_3_1_1_what_declares_json(media_type, expected):
    """A media subtype equal to json, or ending with a +json format extension."""
    assert is_json(media_type) is expected


def test_json_3_1_2_base64_that_holds_json_is_data():
    """The deserializer MAY interpret it according to the datacontenttype."""
    data = b64encode(b'{"a": [1]}').decode()
    for media_type in ("application/json", "application/vnd.shop+json", None):
        envelope = structured(data_base64=data, datacontenttype=media_type)
        assert value_of(envelope) == {"a": [1]}
        assert envelope.data_base64 is None


def test_json_3_1_2_base64_of_other_types_is_bytes():
    data = b64encode(b"\xff\xd8").decode()
    assert value_of(structured(data_base64=data, datacontenttype="image/jpeg")) == b"\xff\xd8"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"data_base64": "not base64!"}, "Base64"),
        ({"data_base64": b64encode(b"{").decode()}, "data"),
        ({"data_base64": b64encode(b'"\xff"').decode()}, "data"),
        ({"data_base64": "MQ==", "data": 1}, "not both"),
        ({"data": {"a": 1}, "datacontenttype": "application/xml"}, "must be a string"),
    ],
)
def test_json_3_1_what_contradicts_itself_is_refused(members, said):
    with pytest.raises(InvalidEvent, match=said):
        structured(members)


def test_json_3_1_2_a_string_is_no_document():
    """ "it MUST NOT further deserialize the string as a JSON document"."""
    assert value_of(structured(data='{"a": 1}')) == '{"a": 1}'


def test_json_3_1_1_data_may_be_null():
    assert structured(data=None).data == msgspec.Raw(b"null")
    assert structured() != structured(data=None)


def test_json_3_1_2_without_a_datacontenttype_the_data_is_json():
    assert structured(data=1) == structured(data=1, datacontenttype="application/json")
    assert structured().datacontenttype is None


def test_data_of_another_type_does_not_fit_a_contract():
    envelope = binary(b"<a/>", content_type="application/xml")
    for found, said in ((envelope, "application/xml, not JSON"), (binary(), "has no data")):
        event = Event(found, Place("t", 0, 0), b"", contract=type(product()))
        with pytest.raises(ContractViolation, match=said):
            event.data  # noqa: B018


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
def test_the_same_event_gives_the_same_envelope_in_both_modes(attributes, data, in_base64):
    payload = json.dumps(data).encode()
    members = {"data_base64": b64encode(payload).decode()} if in_base64 else {"data": data}
    one = structured(attributes, datacontenttype="application/json", **members)
    texts = {name: str(value) for name, value in attributes.items()}
    assert one == binary(payload, texts, "application/json")
    as_text = {**attributes, "sequence": str(attributes.get("sequence", 0))}
    as_number = {**attributes, "sequence": attributes.get("sequence", 0)}
    assert structured(as_text) == structured(as_number) == binary(None, as_text)


@given(ATTRIBUTES, st.text(st.characters(codec="utf-8")), st.sampled_from(["text/plain", "a/xml"]))
def test_data_that_is_no_json_gives_the_same_envelope_in_both_modes(attributes, text, media_type):
    texts = {name: str(value) for name, value in attributes.items()}
    in_binary = binary(text.encode(), texts, media_type)
    encoded = b64encode(text.encode()).decode()
    in_base64 = structured(attributes, datacontenttype=media_type, data_base64=encoded)
    assert in_base64 == structured(attributes, datacontenttype=media_type, data=text)
    if text:  # an empty value means no data
        assert in_base64 == in_binary
        assert value_of(in_binary) == text.encode()


# What JSON allows but no page could show.


def around(data):
    """A structured event with this data."""
    return json.dumps(SMALLEST).encode()[:-1] + b',"data":' + data + b"}"


def nested(depth):
    return b"[" * depth + b"]" * depth


def test_data_nests_as_deep_as_every_page_can_show():
    flat = b"[" + b",".join([b'[{"a[":"]["}]'] * 200) + b"]"
    for data in (nested(MAX_DEPTH), flat, b'"' + b"[" * 500 + b'"'):
        assert binary(data).data == msgspec.Raw(data)
        assert decode(around(data)).data == msgspec.Raw(data)
    for data in (nested(MAX_DEPTH + 1), nested(900), nested(200_000), b'{"a":' * 500):
        with pytest.raises(InvalidEvent):
            binary(data)
        with pytest.raises(InvalidEvent):
            decode(around(data))


@pytest.mark.parametrize("data", [b'"\xff"', b'{"a": "\xed\xa0\x80"}', rb'"\ud800"', rb'"\udc00"'])
def test_text_that_is_no_unicode_is_refused_in_both_modes(data):
    with pytest.raises(InvalidEvent):
        binary(data, content_type="application/json")
    with pytest.raises(InvalidEvent):
        decode(around(data), [STRUCTURED])


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000, "-" + "1" * 5000])
def test_a_number_that_python_cannot_hold_stays_text(number):
    data = b'{"n": [%s, 1]}' % number.encode()
    assert value_of(binary(data)) == {"n": [number, 1]}
    json.dumps(value_of(binary(data)), allow_nan=False)
