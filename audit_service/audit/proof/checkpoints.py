"""Checkpoints: signed heads of the chains, so that nobody can rewrite entries unnoticed.

A checkpoint is a DSSE envelope (https://github.com/secure-systems-lab/dsse) of JSON, signed with
Ed25519 (RFC 8032). Checking it requires no database.
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
    """A signature, and the id of the key that made it."""

    keyid: str
    sig: str


class DsseEnvelope(msgspec.Struct, rename="camel"):
    """The envelope as it is stored and exported."""

    payload_type: str
    payload: str
    signatures: list[Signature]


class End(msgspec.Struct, frozen=True):
    """The head of one chain.

    :param link: of its last entry at that time, in hexadecimal.
    """

    topic: str
    partition: int
    position: Annotated[int, Meta(ge=0)]
    link: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

    @property
    def key(self) -> Key:
        """The topic partition of the chain."""
        return self.topic, self.partition


class Statement(msgspec.Struct):
    """The payload of a checkpoint."""

    created_at: datetime
    chains: list[End]


class BadCheckpoint(Exception):
    """Not a checkpoint, or not signed by a trusted key. The message says which."""


class NoKey(Exception):
    """A key is missing or unusable. The message names the setting."""


def sign(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """Sign a statement, and return its envelope."""
    payload = msgspec.json.encode(statement)
    signature = Signature(_name(key.public_key()), _text(key.sign(_signed_bytes(payload))))
    return msgspec.json.encode(DsseEnvelope(PAYLOAD_TYPE, _text(payload), [signature]))


def opened(envelope: bytes, trusted: Iterable[Ed25519PublicKey]) -> Statement:
    """Return the statement of a checkpoint after verifying that a trusted key has signed it.

    :raises BadCheckpoint: if none has, or if the checkpoint is unreadable or inconsistent.
    """
    try:
        read = msgspec.json.decode(envelope, type=DsseEnvelope)
        payload = b64decode(read.payload, validate=True)
        signatures = [b64decode(signature.sig, validate=True) for signature in read.signatures]
    except (msgspec.DecodeError, NotBase64) as error:
        raise BadCheckpoint(f"not a checkpoint: {error}") from error
    if read.payload_type != PAYLOAD_TYPE:
        raise BadCheckpoint(f"not a checkpoint: its payload type is {read.payload_type}")
    if not any(_holds(key, signature, payload) for key in trusted for signature in signatures):
        raise BadCheckpoint("not signed by any of the trusted keys")
    try:
        statement = msgspec.json.decode(payload, type=Statement)
    except msgspec.DecodeError as error:
        raise BadCheckpoint(f"not a checkpoint: {error}") from error
    if len({end.key for end in statement.chains}) < len(statement.chains):
        raise BadCheckpoint("not a checkpoint: it lists a chain more than once")
    return statement


def new_keys() -> tuple[str, str]:
    """Generate a private key and its public key, in the format of the settings."""
    key = Ed25519PrivateKey.generate()
    return _text(key.private_bytes_raw()), _text(key.public_key().public_bytes_raw())


def trusted_keys() -> list[Ed25519PublicKey]:
    """Return the keys of ``AUDIT_PUBLIC_KEYS`` and the public key of ``AUDIT_SIGNING_KEY``.

    :raises NoKey: if there is none, or one is unusable.
    """
    keys = [public_key(text) for text in settings.AUDIT_PUBLIC_KEYS]
    if settings.AUDIT_SIGNING_KEY:
        keys.append(signing_key().public_key())
    if not keys:
        raise NoKey("Set AUDIT_PUBLIC_KEYS: there is no key to check checkpoints with")
    return keys


def public_key(text: str) -> Ed25519PublicKey:
    """Parse a public key as ``signing_key`` prints it.

    :raises NoKey: if it is not a public key.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except (NotBase64, ValueError) as error:
        raise NoKey(f"Not a public key in base64: {text}") from error


def signing_key() -> Ed25519PrivateKey:
    """Return the private key that signs checkpoints.

    :raises NoKey: if ``AUDIT_SIGNING_KEY`` is not set or unusable.
    """
    if not settings.AUDIT_SIGNING_KEY:
        raise NoKey("AUDIT_SIGNING_KEY is not set; `signing_key` generates one")
    try:
        return Ed25519PrivateKey.from_private_bytes(
            b64decode(settings.AUDIT_SIGNING_KEY, validate=True)
        )
    except (NotBase64, ValueError):
        # The original error could contain the key.
        raise NoKey(
            "AUDIT_SIGNING_KEY is not 32 bytes in base64; `signing_key` generates one"
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
