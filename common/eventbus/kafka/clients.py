"""Producer, consumer and admin client, built from the settings and from nothing else."""

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
        """Wait for the acknowledgement, or raise the KafkaError that came instead.

        :param timeout: seconds to wait at the most, then KafkaTimeoutError; None waits for ever.
        """


class Producer(Protocol):
    """What the relay uses of kafka-python's producer."""

    def send(
        self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]
    ) -> Future:
        """Queue one message. Messages of one key are stored in the order of the calls.

        :raises KafkaTimeoutError: when there is no such topic, or no broker to ask for it.
        """

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was sent is acknowledged or has failed.

        :param timeout: seconds to wait at the most, then KafkaTimeoutError.
        """

    def close(self, timeout: float | None = None) -> None:
        """Stop sending; what was not acknowledged may or may not have been stored.

        :param timeout: seconds to wait for what is under way; then it is given up.
        """


class Consumer(Protocol):
    """What the worker uses of kafka-python's consumer. Not to be shared between threads."""

    def subscribe(self, topics: list[str]) -> None:
        """Join the group and share these topics with its other members.

        The joining happens in the calls of :meth:`poll` at the latest.
        """

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        """The next records, in offset order within each partition; empty at the time-out.

        A call after which the group has rebalanced starts from what was committed last.

        :raises NoOffsetForPartitionError: with a set of partitions of which the group has committed
            nothing; they need a :meth:`seek`.
        :raises OffsetOutOfRangeError: with a dictionary of partitions and the offsets that they
            should go on from, which Kafka does not have; they need a :meth:`seek`.
        :raises UnreadableRecord: when a record is damaged; it has returned all before that one.
        :raises KafkaError: others, with ``retriable`` set where a later call may succeed.
        """

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        """Store where the group goes on.

        :raises CommitFailedError: when the group has rebalanced without this member.
        """

    def assignment(self) -> set[TopicPartition]:
        """The partitions that this member reads now."""

    def position(self, partition: TopicPartition) -> int | None:
        """The offset of the next record that ``poll`` will return."""

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of the partition as of the last fetch; None before the first."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Let the next poll go on from this offset of an assigned partition."""

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset of the first message that each partition has, or would have."""

    def close(self, *, timeout_ms: int) -> None:
        """Leave the group.

        :param timeout_ms: how long to wait for a broker that does not answer.
        """


class AbandoningProducer(KafkaProducer):  # type: ignore[misc]
    """kafka-python's producer, whose ``close()`` would raise and leave its thread sending."""

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        try:
            super().close(timeout, null_logger)
        except KafkaTimeoutError:
            self._sender.force_close()
            self._sender.join(timeout)
            super().close(timeout, null_logger)


def producer() -> Producer:
    """An idempotent producer that never gives a message up.

    A time-out of its own would let a later message of the same key overtake an earlier one.

    :raises KafkaUnavailable: when no broker answers.
    :raises KafkaRefused: when log-in or certificate are refused.
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
    """A member of a consumer group; it commits by hand.

    ``auto.offset.reset`` is ``none``: the worker's ``Stream`` decides where to go on without an
    offset, or with one that Kafka does not have any more, so that no message is passed over in
    silence.

    :raises KafkaUnavailable: when no broker answers.
    :raises KafkaRefused: when log-in or certificate are refused.
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
    """An admin client for the length of a ``with`` block.

    :raises KafkaUnavailable: when no broker answers, or when what the block asks is refused.
    :raises KafkaRefused: when log-in or certificate are refused.
    """
    with closing(connect(KafkaAdminClient)) as client:
        try:
            yield client
        except KafkaError as error:
            raise unavailable(error) from error
