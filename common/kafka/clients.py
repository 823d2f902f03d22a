"""Producer, consumer and admin client, built from the settings and from nothing else."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from django.conf import settings
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

BOOTSTRAP_TIMEOUT_MS = 2_000
NEVER_MS = 2**31 - 1


class KafkaUnavailable(Exception):
    """No broker answers, or it refuses us; the text is fit for a log line."""


class Future(Protocol):
    """What ``Producer.send`` returns."""

    def get(self, timeout: float | None = None) -> Any:
        """Wait at most ``timeout`` seconds for the acknowledgement, or raise what went wrong."""


class Producer(Protocol):
    """What the relay uses of kafka-python's producer."""

    def send(
        self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]
    ) -> Future:
        """Queue one message. Messages of one key are stored in the order of the calls."""

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was sent is acknowledged or has failed."""

    def close(self, timeout: float | None = None) -> None:
        """Stop; what was not acknowledged may or may not have been stored."""


class Consumer(Protocol):
    """What the worker uses of kafka-python's consumer. Not to be shared between threads."""

    def subscribe(self, topics: list[str]) -> None:
        """Join the group and share these topics with its other members."""

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        """The next records, in offset order within each partition; empty at the time-out."""

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        """Store where the group goes on. Raises CommitFailedError after a rebalance."""

    def assignment(self) -> set[TopicPartition]:
        """The partitions that this member reads now."""

    def position(self, partition: TopicPartition) -> int | None:
        """The offset of the next record that ``poll`` will return."""

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of the partition as of the last fetch; None before the first."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        """The partitions of a topic; empty where it does not exist."""

    def close(self) -> None:
        """Leave the group."""


def producer() -> Producer:
    """An idempotent producer that never gives a message up.

    A time-out of its own would let a later message of the same key overtake an earlier one.

    :raises KafkaUnavailable: when no broker answers.
    """
    client: Producer = _connect(
        KafkaProducer,
        acks="all",
        enable_idempotence=True,
        delivery_timeout_ms=NEVER_MS,
        linger_ms=2,
        batch_size=256 * 1024,
        max_block_ms=BOOTSTRAP_TIMEOUT_MS,
        allow_auto_create_topics=False,
    )
    return client


def consumer(group: str) -> Consumer:
    """A member of a consumer group; it starts at the earliest message and commits by hand.

    :raises KafkaUnavailable: when no broker answers.
    """
    session_timeout_ms = settings.KAFKA_SESSION_TIMEOUT_MS
    client: Consumer = _connect(
        KafkaConsumer,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=session_timeout_ms // 4,
        allow_auto_create_topics=False,
    )
    return client


def admin() -> KafkaAdminClient:
    """:raises KafkaUnavailable: when no broker answers."""
    return _connect(KafkaAdminClient)


T = TypeVar("T")


def _connect(client: Callable[..., T], **options: object) -> T:
    try:
        return client(**settings.KAFKA, bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS, **options)
    except (KafkaError, OSError) as error:
        servers = ", ".join(settings.KAFKA["bootstrap_servers"])
        raise KafkaUnavailable(f"Kafka at {servers}: {error or type(error).__name__}") from error
