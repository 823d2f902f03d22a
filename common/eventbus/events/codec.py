"""Encode and decode CloudEvents JSON: writes structured mode, reads structured and binary mode.

The comments name the sections of the Kafka protocol binding ("Kafka") and of the JSON event format
("JSON"), both of version 1.0.2:
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from eventbus.events.data import refuse_deep
from eventbus.events.envelope import NO_DATA, Envelope
from eventbus.events.errors import EventTooLarge, InvalidEvent
from eventbus.events.times import is_holdable, is_rfc3339

Headers = Iterable[tuple[str, bytes]]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
ANY_FORMAT = "application/cloudevents"
JSON = "application/json"
MAX_EVENT_BYTES = 1_000_000
"""Largest encoded event, below Kafka's default ``max.message.bytes`` of 1,048,588."""

NUL_IN_JSON = b"\\u0000"
"""The only way to write a NUL in JSON (RFC 8259, section 7)."""

_STRUCTURED_HEADERS = (("content-type", STRUCTURED.encode()),)
_PREFIX = "ce_"
_NOT_FROM_HEADERS = frozenset({"ce_data", "ce_data_base64", "ce_datacontenttype"})
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,254}", re.ASCII)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(envelope: Envelope) -> bytes:
    """The Kafka message value of an event, in structured mode.

    :raises EventTooLarge: if it exceeds :data:`MAX_EVENT_BYTES`.
    """
    value = _encoder.encode(envelope)
    _refuse_large(value)
    return value


def structured_headers() -> list[tuple[str, bytes]]:
    """The Kafka headers that accompany a value from :func:`encode`."""
    return list(_STRUCTURED_HEADERS)


def decode(value: bytes | None, headers: Headers = ()) -> Envelope:
    """The envelope of a Kafka message; the same event gives an equal envelope in either mode.

    ``content-type`` decides the mode (Kafka 3). A message without one is binary if it has a
    ``ce_specversion``, and structured otherwise, which is what Debezium's outbox router sends.

    A valid ``time`` that cannot be represented (:mod:`eventbus.events.times`) is dropped.

    :raises InvalidEvent: if it is not a CloudEvents 1.0 event; the message says why.
    """
    try:
        _refuse_large(value or b"")
    except EventTooLarge as error:
        raise InvalidEvent(str(error)) from None
    if headers == _STRUCTURED_HEADERS:
        return _decode_structured(value)
    texts = _texts(headers)
    if _is_structured(texts):
        return _decode_structured(value)
    return _decode_binary(value or b"", texts)


def headers_to_text(headers: Headers) -> str:
    """Headers as JSON text for a text column: any byte fits, even a NUL, which jsonb rejects."""
    pairs = [(name, (raw or b"").decode("latin-1")) for name, raw in headers]
    return msgspec.json.encode(pairs).decode()


def headers_from_text(text: str) -> tuple[tuple[str, bytes], ...]:
    """The inverse of :func:`headers_to_text`."""
    pairs = msgspec.json.decode(text, type=list[tuple[str, str]])
    return tuple((name, raw.encode("latin-1")) for name, raw in pairs)


def is_json(media_type: str | None) -> bool:
    """Whether a ``datacontenttype`` declares JSON: ``*/json`` or ``*/*+json`` (JSON 3.1.1).

    If absent, the data is JSON.
    """
    if media_type is None or media_type == JSON:
        return True
    subtype = _bare(media_type).partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def _is_structured(headers: dict[str, str]) -> bool:
    content_type = headers.get("content-type")
    if content_type is None:
        return "ce_specversion" not in headers
    media_type = _bare(content_type)
    if not media_type.startswith(ANY_FORMAT):
        if "ce_specversion" not in headers:
            raise InvalidEvent(
                f"content-type {media_type!r} is not {STRUCTURED}, and binary mode requires the "
                "header ce_specversion"
            )
        return False
    if media_type == BATCH:
        raise InvalidEvent("Batched mode: the Kafka binding has none; send one event per message")
    if media_type != STRUCTURED:
        raise InvalidEvent(f"content-type {media_type!r} is not {STRUCTURED}")
    return True


def _decode_structured(value: bytes | None) -> Envelope:
    if not value:
        raise InvalidEvent("The message has no value")
    try:
        if not value.isascii():
            value.decode()  # the decoder skips unknown members without validating their UTF-8
        envelope = _decoded(value)
        envelope = _with_data_as_bytes_say(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"Not a CloudEvents 1.0 event: {error}") from error
    refuse_deep(bytes(envelope.data))
    if NUL_IN_JSON in value:
        _refuse_nul(envelope)
    return _normal(envelope)


def _decoded(value: bytes) -> Envelope:
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError:
        members = _members.decode(value)
        if "time" not in members or not _is_valid_time(msgspec.json.decode(members.pop("time"))):
            raise
        return _decoder.decode(_encoder.encode(members))


def _with_data_as_bytes_say(envelope: Envelope) -> Envelope:
    """The data as binary mode would carry it: JSON in ``data``, anything else as bytes."""
    declares_json = is_json(envelope.datacontenttype)
    if envelope.data_base64 is not None:  # takes precedence and excludes data (JSON 3.1.2)
        if bytes(envelope.data) not in (b"", b"null"):
            raise InvalidEvent("An event may have data or data_base64, not both")
        return _with_payload(envelope, _from_base64(envelope.data_base64))
    if declares_json:
        return envelope
    if not bytes(envelope.data):
        return envelope
    text = msgspec.json.decode(envelope.data)
    if not isinstance(text, str):
        raise InvalidEvent(f"data is {envelope.datacontenttype}, so it must be a string (JSON 3.1)")
    return _with_payload(envelope, text.encode())


def _decode_binary(value: bytes, headers: dict[str, str]) -> Envelope:
    attributes: dict[str, Any] = {
        name.removeprefix(_PREFIX): text
        for name, text in headers.items()
        if name.startswith(_PREFIX) and name not in _NOT_FROM_HEADERS
    }
    if "content-type" in headers:
        attributes["datacontenttype"] = headers["content-type"]
    try:
        envelope = _converted(attributes)
        if value:  # an empty value means no data
            envelope = _with_payload(envelope, value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"Not a CloudEvents 1.0 event in binary mode: {error}") from error
    _refuse_nul(envelope)
    return _normal(envelope)


def _converted(attributes: dict[str, Any]) -> Envelope:
    try:
        return msgspec.convert(attributes, Envelope)
    except msgspec.ValidationError:
        if not _is_valid_time(attributes.pop("time", None)):
            raise
        return msgspec.convert(attributes, Envelope)


def _with_payload(envelope: Envelope, payload: bytes) -> Envelope:
    """The envelope with these bytes as its data.

    :raises InvalidEvent: if they should be JSON but are not.
    """
    if not is_json(envelope.datacontenttype):
        return replace(envelope, data=NO_DATA, data_base64=b64encode(payload).decode())
    try:
        msgspec.json.decode(payload)
    except msgspec.ValidationError:
        pass  # valid JSON with a number that Python cannot represent
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"Not a CloudEvents 1.0 event: data: {error}") from error
    refuse_deep(payload)
    return replace(envelope, data=msgspec.Raw(payload), data_base64=None)


def _normal(envelope: Envelope) -> Envelope:
    """The canonical form of an envelope, independent of mode and spelling."""
    if envelope.time is not None and not is_holdable(envelope.time):
        envelope = replace(envelope, time=None)
    if isinstance(envelope.sequence, str) and _INTEGER.fullmatch(envelope.sequence):
        envelope = replace(envelope, sequence=int(envelope.sequence))
    if envelope.datacontenttype is None and bytes(envelope.data):  # implied (JSON 3.1.2)
        envelope = replace(envelope, datacontenttype=JSON)
    return envelope


def _is_valid_time(text: object) -> bool:
    return isinstance(text, str) and is_rfc3339(text)


def _from_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidEvent(f"data_base64 is not Base64: {error}") from None


def _refuse_nul(envelope: Envelope) -> None:
    """PostgreSQL's text type cannot store a NUL, and no attribute needs one."""
    for name in envelope.__struct_fields__:
        attribute = getattr(envelope, name)
        if isinstance(attribute, str) and "\x00" in attribute:
            raise InvalidEvent(f"Not a CloudEvents 1.0 event: {name} contains a NUL")


def _texts(headers: Headers) -> dict[str, str]:
    """The CloudEvents headers, decoded as UTF-8 without percent-encoding (3.2.3).

    Other headers may hold any bytes. Names are case-sensitive: attributes are in lower case.
    """
    found: dict[str, str] = {}
    for name, raw in headers:
        if raw is None or not (name == "content-type" or name.startswith(_PREFIX)):
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise InvalidEvent(f"The header {name} is not UTF-8: {error}") from error
        if found.setdefault(name, text) != text:
            raise InvalidEvent(f"The header {name} occurs twice with different values")
    return found


def _bare(media_type: str) -> str:
    """The media type without parameters, in lower case (RFC 2045, section 5.1)."""
    return media_type.partition(";")[0].strip().lower()


def _refuse_large(value: bytes) -> None:
    if len(value) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"The event has {len(value):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
