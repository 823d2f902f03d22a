"""Checkpoints: where the chains stood at a time, signed, so that nobody can rewrite them unseen.

A checkpoint is a DSSE envelope (https://github.com/secure-systems-lab/dsse) of JSON, signed with
Ed25519 (RFC 8032). It needs no database to be checked.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from msgspec import Meta

from audit_service.audit.record.sealed import Key

PAYLOAD_TYPE = "application/vnd.audit.checkpoint+json"


class Signature(msgspec.Struct):
    """A signature, and the short name of the key that made it."""

    keyid: str
    sig: str


class DsseEnvelope(msgspec.Struct, rename="camel"):
    """What is stored and exported."""

    payload_type: str
    payload: str
    signatures: list[Signature]


class End(msgspec.Struct, frozen=True):
    """Where one chain stood.

    :param link: of its last entry then, in hexadecimal.
    """

    topic: str
    partition: int
    position: Annotated[int, Meta(ge=0)]
    link: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

    @property
    def key(self) -> Key:
        """Whose chain it is."""
        return self.topic, self.partition


class Statement(msgspec.Struct):
    """What a checkpoint says."""

    created_at: datetime
    chains: list[End]


class BadCheckpoint(Exception):
    """It is none, or nobody who is trusted has signed it. The text says which."""


class NoKey(Exception):
    """A key is missing or unusable. The text says which setting it is."""


def sign(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """The signed envelope of a statement."""
    payload = msgspec.json.encode(statement)
    signature = Signature(_name(key.public_key()), _text(key.sign(_signed_bytes(payload))))
    return msgspec.json.encode(DsseEnvelope(PAYLOAD_TYPE, _text(payload), [signature]))


def opened(envelope: bytes, trusted: Iterable[Ed25519PublicKey]) -> Statement:
    """What a checkpoint says, once one of the trusted keys is found to have signed it.

    :raises BadCheckpoint: when none has, when it cannot be read, or when it contradicts itself.
    """
    try:
        read = msgspec.json.decode(envelope, type=DsseEnvelope)
        payload = b64decode(read.payload, validate=True)
        signatures = [b64decode(signature.sig, validate=True) for signature in read.signatures]
    except (msgspec.DecodeError, NotBase64) as error:
        raise BadCheckpoint(f"not a checkpoint: {error}") from error
    if read.payload_type != PAYLOAD_TYPE:
        raise BadCheckpoint(f"not a checkpoint: it holds {read.payload_type}")
    if not any(_holds(key, signature, payload) for key in trusted for signature in signatures):
        raise BadCheckpoint("none of the trusted keys has signed it")
    try:
        statement = msgspec.json.decode(payload, type=Statement)
    except msgspec.DecodeError as error:
        raise BadCheckpoint(f"not a checkpoint: {error}") from error
    if len({end.key for end in statement.chains}) < len(statement.chains):
        raise BadCheckpoint("not a checkpoint: it names a chain more than once")
    return statement


def new_keys() -> tuple[str, str]:
    """A new private key and its public key, as the settings want them."""
    key = Ed25519PrivateKey.generate()
    return _text(key.private_bytes_raw()), _text(key.public_key().public_bytes_raw())


def trusted_keys() -> list[Ed25519PublicKey]:
    """Those of ``AUDIT_PUBLIC_KEYS``, and our own.

    :raises NoKey: where there is none, or one that is unusable.
    """
    keys = [public_key(text) for text in settings.AUDIT_PUBLIC_KEYS]
    if settings.AUDIT_SIGNING_KEY:
        keys.append(signing_key().public_key())
    if not keys:
        raise NoKey("No key to check checkpoints with: set AUDIT_PUBLIC_KEYS")
    return keys


def public_key(text: str) -> Ed25519PublicKey:
    """A public key as ``signing_key`` prints it.

    :raises NoKey: when it is none.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except (NotBase64, ValueError) as error:
        raise NoKey(f"Not a public key in base64: {text}") from error


def signing_key() -> Ed25519PrivateKey:
    """Our own key.

    :raises NoKey: without a usable ``AUDIT_SIGNING_KEY``.
    """
    if not settings.AUDIT_SIGNING_KEY:
        raise NoKey("AUDIT_SIGNING_KEY is not set; `signing_key` makes one")
    try:
        return Ed25519PrivateKey.from_private_bytes(
            b64decode(settings.AUDIT_SIGNING_KEY, validate=True)
        )
    except (NotBase64, ValueError):
        # The text of the error could show the key.
        raise NoKey(
            "AUDIT_SIGNING_KEY is not 32 bytes in base64; `signing_key` makes one"
        ) from None


def _holds(key: Ed25519PublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, _signed_bytes(payload))
    except InvalidSignature:
        return False
    return True


def _signed_bytes(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding (PAE)."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _name(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def _text(data: bytes) -> str:
    return b64encode(data).decode()
