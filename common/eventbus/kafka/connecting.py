"""Connect to Kafka, and report why it fails."""

import logging
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from kafka.errors import (
    AuthorizationError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)

from eventbus.conf import bus_settings

BOOTSTRAP_TIMEOUT_MS = 2_000
# As in the Java client (KIP-144). kafka-python could take up to 30 s to notice a recovery.
RECONNECT_MS = 1_000

LOGIN = "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM"
CERTIFICATES = "KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
LOGIN_ERRORS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, AuthorizationError)

T = TypeVar("T")


class KafkaUnavailable(Exception):
    """No broker answers now; a later attempt may succeed. The message fits a log line."""


class KafkaRefused(Exception):
    """Kafka rejects our credentials, or we reject its certificate. Waiting does not help."""


def connect(client: Callable[..., T], **options: object) -> T:
    """Create a kafka-python client from the settings.

    :param client: its class.
    :param options: its options besides those for connecting.
    :raises KafkaRefused: if the login or the certificate is rejected.
    :raises KafkaUnavailable: if no broker answers.
    """
    with _heard_reasons() as reasons:
        try:
            return client(
                **bus_settings().kafka,
                bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
                reconnect_backoff_max_ms=RECONNECT_MS,
                **options,
            )
        except (KafkaError, OSError) as error:
            failure = error
            reasons.append(error)
    for reason in reasons:
        if isinstance(reason, LOGIN_ERRORS):
            raise KafkaRefused(f"Kafka at {_servers()} rejects the login: {reason}; check {LOGIN}")
        if _is_about_certificates(reason):
            raise KafkaRefused(f"TLS with Kafka at {_servers()}: {reason}; check {CERTIFICATES}")
    raise unavailable(_shown(reasons)) from failure


def unavailable(reason: object) -> KafkaUnavailable:
    """An exception that names the servers and the reason in one line."""
    return KafkaUnavailable(f"Kafka at {_servers()}: {reason}")


def _servers() -> str:
    return ", ".join(bus_settings().kafka["bootstrap_servers"])


def _is_about_certificates(reason: BaseException) -> bool:
    """Whether TLS itself failed, as opposed to the peer closing the connection."""
    cause = reason.__context__ or reason
    hung_up = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    return isinstance(cause, ssl.SSLError) and not hung_up


def _shown(reasons: Sequence[BaseException]) -> str:
    """The last reason other than a timeout, if there is one."""
    telling = [reason for reason in reasons if not isinstance(reason, KafkaTimeoutError)]
    reason = (telling or reasons)[-1]
    text = str(reason) or type(reason).__name__
    if "disconnected" in text and bus_settings().kafka.get("sasl_mechanism"):
        # kafka-python drops a response that arrives together with the end of the connection.
        return f"{text}; a wrong login may look like this too, check {LOGIN}"
    return text


@contextmanager
def _heard_reasons() -> Iterator[list[BaseException]]:
    """The errors of each attempt, which kafka-python 3.0 only writes to its log."""
    reasons: list[BaseException] = []
    logger = logging.getLogger("kafka.net.manager")
    level, propagate = logger.level, logger.propagate
    ear = _Ear(reasons)
    logger.addHandler(ear)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield reasons
    finally:
        logger.removeHandler(ear)
        logger.setLevel(level)
        logger.propagate = propagate


class _Ear(logging.Handler):
    """Collects the exceptions passed to log messages."""

    def __init__(self, heard: list[BaseException]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self._heard += [argument for argument in arguments if isinstance(argument, Exception)]
