"""Producer, consumer and admin client, built from the settings."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from eventbus.conf import bus_settings
from eventbus.kafka.connecting import BOOTSTRAP_TIMEOUT_MS, connect, unavailable
from eventbus.kafka.reading import RecordReader

NEVER_MS = 2**31 - 1


class Future(Protocol):
    """What ``Producer.send`` returns."""

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the acknowledgement, or raise the KafkaError received instead.

        :param timeout: maximum wait in seconds, then KafkaTimeoutError; None waits forever.
        """


class Producer(Protocol):
    """The part of kafka-python's producer that the relay uses."""

    def send(
        self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]
    ) -> Future:
        """Queue one message. Messages with the same key are stored in the order of the calls.

        :raises KafkaTimeoutError: if the topic does not exist, or no broker answers.
        """

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every sent message is acknowledged or has failed.

        :param timeout: maximum wait in seconds, then KafkaTimeoutError.
        """

    def close(self, timeout: float | None = None) -> None:
        """Stop sending; unacknowledged messages may or may not have been stored.

        :param timeout: seconds to wait for messages in flight before abandoning them.
        """


class Consumer(Protocol):
    """The part of kafka-python's consumer that the worker uses. Not thread-safe."""

    def subscribe(self, topics: list[str]) -> None:
        """Join the group and share these topics with its other members.

        The actual join happens in a call of :meth:`poll` at the latest.
        """

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        """The next records, in offset order within each partition; empty after the timeout.

        After a rebalance, reading resumes from the last committed offsets.

        :raises NoOffsetForPartitionError: with the set of partitions for which the group has no
            committed offset; they need a :meth:`seek`.
        :raises OffsetOutOfRangeError: with a dictionary of partitions and the requested offsets,
            which Kafka does not have; they need a :meth:`seek`.
        :raises UnreadableRecord: when a record is damaged; it has returned all before that one.
        :raises KafkaError: others, with ``retriable`` set if a later call may succeed.
        """

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit the offsets from which the group will resume.

        :raises CommitFailedError: if the group has rebalanced without this member.
        """

    def assignment(self) -> set[TopicPartition]:
        """The partitions currently assigned to this member."""

    def position(self, partition: TopicPartition) -> int | None:
        """The offset of the next record that ``poll`` will return."""

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of the partition as of the last fetch; None before the first."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Make the next poll start from this offset of an assigned partition."""

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset of the first available message of each partition."""

    def close(self, *, timeout_ms: int) -> None:
        """Leave the group.

        :param timeout_ms: how long to wait for an unresponsive broker.
        """


class AbandoningProducer(KafkaProducer):  # type: ignore[misc]
    """A producer whose ``close()`` stops sending; kafka-python's raises and keeps sending."""

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        try:
            super().close(timeout, null_logger)
        except KafkaTimeoutError:
            self._sender.force_close()
            self._sender.join(timeout)
            super().close(timeout, null_logger)


def producer() -> Producer:
    """An idempotent producer that never gives up on a message.

    With a delivery timeout, a later message could overtake an earlier one of the same key.

    :raises KafkaUnavailable: if no broker answers.
    :raises KafkaRefused: if the login or the certificate is rejected.
    """
    client: Producer = connect(
        AbandoningProducer,
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
    """A member of a consumer group, with manual commits.

    ``auto.offset.reset`` is ``none``: the worker's ``Stream`` decides where to start without a
    committed offset, or with one that Kafka no longer has, so that no message is skipped silently.

    :raises KafkaUnavailable: if no broker answers.
    :raises KafkaRefused: if the login or the certificate is rejected.
    """
    session_timeout_ms = bus_settings().session_timeout_ms
    client: Consumer = connect(
        RecordReader,
        group_id=group,
        auto_offset_reset="none",
        enable_auto_commit=False,
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=session_timeout_ms // 4,
        allow_auto_create_topics=False,
    )
    return client


@contextmanager
def admin() -> Iterator[KafkaAdminClient]:
    """An admin client for the duration of a ``with`` block.

    :raises KafkaUnavailable: if no broker answers, or if a request in the block fails.
    :raises KafkaRefused: if the login or the certificate is rejected.
    """
    with closing(connect(KafkaAdminClient)) as client:
        try:
            yield client
        except KafkaError as error:
            raise unavailable(error) from error
