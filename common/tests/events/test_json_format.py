"""The JSON event format of CloudEvents 1.0.2, sentence by sentence.

Each test names the section that it checks, of
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
"""

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest

from common.tests.conftest import product
from common.tests.events.modes import SMALLEST, STRUCTURED, binary, structured, value_of
from eventbus.events import ContractViolation, Event, InvalidEvent, Place, decode
from eventbus.events.codec import is_json
from eventbus.events.data import MAX_DEPTH

# JSON 2.2 and 3: attributes and data.


@pytest.mark.parametrize("name", ["subject", "time", "datacontenttype", "sequence", "data_base64"])
def test_json_2_2_null_is_the_same_as_left_out(name: str) -> None:
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
def test_json_3_1_1_what_declares_json(media_type: str | None, expected: bool) -> None:
    """A media subtype equal to json, or ending with a +json format extension."""
    assert is_json(media_type) is expected


def test_json_3_1_2_base64_that_holds_json_is_data() -> None:
    """The deserializer MAY interpret it according to the datacontenttype."""
    data = b64encode(b'{"a": [1]}').decode()
    for media_type in ("application/json", "application/vnd.shop+json", None):
        envelope = structured(data_base64=data, datacontenttype=media_type)
        assert value_of(envelope) == {"a": [1]}
        assert envelope.data_base64 is None


def test_json_3_1_2_base64_of_other_types_is_bytes() -> None:
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
def test_json_3_1_what_contradicts_itself_is_refused(members: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidEvent, match=said):
        structured(members)


def test_json_3_1_2_a_string_is_no_document() -> None:
    """ "it MUST NOT further deserialize the string as a JSON document"."""
    assert value_of(structured(data='{"a": 1}')) == '{"a": 1}'


def test_json_3_1_1_data_may_be_null() -> None:
    assert structured(data=None).data == msgspec.Raw(b"null")
    assert structured() != structured(data=None)


def test_json_3_1_2_without_a_datacontenttype_the_data_is_json() -> None:
    assert structured(data=1) == structured(data=1, datacontenttype="application/json")
    assert structured().datacontenttype is None


def test_data_of_another_type_does_not_fit_a_contract() -> None:
    envelope = binary(b"<a/>", content_type="application/xml")
    for found, said in ((envelope, "application/xml, not JSON"), (binary(), "no data")):
        event = Event(found, Place("t", 0, 0), b"", contract=type(product()))
        with pytest.raises(ContractViolation, match=said):
            event.data  # noqa: B018


# JSON 4: batches.


def test_json_4_a_batch_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidEvent, match=r"Batched mode.*send one event per message"):
        decode(b"[]", [("content-type", b"application/cloudevents-batch+json")])


# What JSON allows and no page could show.


def around(data: bytes) -> bytes:
    """A structured event with this as its data."""
    return json.dumps(SMALLEST).encode()[:-1] + b',"data":' + data + b"}"


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_data_nests_as_deep_as_every_page_can_show() -> None:
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
def test_text_that_is_no_unicode_is_refused_in_both_modes(data: bytes) -> None:
    with pytest.raises(InvalidEvent):
        binary(data, content_type="application/json")
    with pytest.raises(InvalidEvent):
        decode(around(data), [STRUCTURED])


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000, "-" + "1" * 5000])
def test_a_number_that_python_cannot_hold_stays_text(number: str) -> None:
    data = b'{"n": [%s, 1]}' % number.encode()
    assert value_of(binary(data)) == {"n": [number, 1]}
    json.dumps(value_of(binary(data)), allow_nan=False)
