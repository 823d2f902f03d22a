"""Bytes to envelope and back: CloudEvents JSON, structured mode out, both modes in.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from common.events.envelope import Envelope
from common.events.errors import EventTooLarge, InvalidEvent

Headers = Iterable[tuple[str, bytes]]

STRUCTURED = "application/cloudevents+json"
MAX_EVENT_BYTES = 1_000_000
"""Largest encoded event, below Kafka's default ``max.message.bytes`` of 1,048,588."""

NUL_IN_JSON = b"\\u0000"
"""The one way to write a NUL in JSON (RFC 8259, section 7)."""

_STRUCTURED_HEADERS = (("content-type", STRUCTURED.encode()),)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def encode(envelope: Envelope) -> bytes:
    """The Kafka message value of an event, in structured mode.

    :raises EventTooLarge: when it is over :data:`MAX_EVENT_BYTES`.
    """
    value = _encoder.encode(envelope)
    _refuse_large(value)
    return value


def structured_headers() -> list[tuple[str, bytes]]:
    """The Kafka headers that go with what :func:`encode` returns."""
    return list(_STRUCTURED_HEADERS)


def decode(value: bytes | None, headers: Headers = ()) -> Envelope:
    """The envelope of a Kafka message, structured or binary.

    A message without a ``content-type`` is read as structured: Debezium's outbox router
    sends it so.

    :raises InvalidEvent: when it is not a CloudEvents 1.0 event; the text says why.
    """
    if not value:
        raise InvalidEvent("The message has no value")
    try:
        _refuse_large(value)
    except EventTooLarge as error:
        raise InvalidEvent(str(error)) from None
    texts = {} if headers == _STRUCTURED_HEADERS else _as_text(headers)
    if "ce_specversion" in texts:
        return _decode_binary(value, texts)
    media_type = texts.get("content-type", STRUCTURED).partition(";")[0].strip().lower()
    if media_type != STRUCTURED:
        raise InvalidEvent(f"content-type {media_type!r} is not {STRUCTURED}")
    try:
        envelope = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"Not a CloudEvents 1.0 event: {error}") from error
    if NUL_IN_JSON in value:
        _refuse_nul(envelope)
    return envelope


def headers_to_text(headers: Headers) -> str:
    """Headers as JSON text for a text column: any byte fits, a NUL too, which jsonb refuses."""
    pairs = [(name, (raw or b"").decode("latin-1")) for name, raw in headers]
    return msgspec.json.encode(pairs).decode()


def headers_from_text(text: str) -> tuple[tuple[str, bytes], ...]:
    """What :func:`headers_to_text` kept."""
    pairs = msgspec.json.decode(text, type=list[tuple[str, str]])
    return tuple((name, raw.encode("latin-1")) for name, raw in pairs)


def _decode_binary(value: bytes, headers: dict[str, str]) -> Envelope:
    attributes: dict[str, object] = {
        name.removeprefix("ce_"): unquote(text)
        for name, text in headers.items()
        if name.startswith("ce_") and name not in ("ce_data", "ce_data_base64")
    }
    media_type = headers.get("content-type", "application/json")
    attributes["datacontenttype"] = media_type
    try:
        if media_type.partition(";")[0].strip().lower().endswith("json"):
            attributes["data"] = msgspec.Raw(value)
            msgspec.json.decode(value)
        envelope = msgspec.convert(attributes, Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"Not a CloudEvents 1.0 event in binary mode: {error}") from error
    _refuse_nul(envelope)
    return envelope


def _refuse_nul(envelope: Envelope) -> None:
    """PostgreSQL's text cannot hold a NUL, and no attribute has a use for one."""
    for name in envelope.__struct_fields__:
        attribute = getattr(envelope, name)
        if isinstance(attribute, str) and "\x00" in attribute:
            raise InvalidEvent(f"Not a CloudEvents 1.0 event: {name} holds a NUL")


def _as_text(headers: Headers) -> dict[str, str]:
    try:
        return {name.lower(): raw.decode() for name, raw in headers if raw is not None}
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"A header is not UTF-8: {error}") from error


def _refuse_large(value: bytes) -> None:
    if len(value) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"The event has {len(value):,} bytes; {MAX_EVENT_BYTES:,} is the most")
