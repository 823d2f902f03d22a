"""Certificates and logins for a broker that requires them."""

from contextlib import closing
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

MECHANISM = "SCRAM-SHA-512"


def listener(ca: trustme.CA, directory: Path) -> dict[str, str]:
    """Server properties of a listener with a certificate of this authority and SCRAM login."""
    certificate = ca.issue_cert("127.0.0.1")
    # Kafka only reads PKCS #8 (KIP-651), but trustme writes the traditional format.
    key = load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    keystore = directory / "broker.pem"
    keystore.write_bytes(pem + chain)
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "sasl.enabled.mechanisms": MECHANISM,
        f"listener.name.sasl_ssl.{MECHANISM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }


def add_user(server: str, name: str, password: str) -> None:
    """Create a user, through a listener that requires no login."""
    user = UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password)
    with closing(KafkaAdminClient(bootstrap_servers=server)) as admin:
        assert admin.alter_user_scram_credentials([user]) == {name: None}
