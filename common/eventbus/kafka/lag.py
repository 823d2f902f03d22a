"""Consumer lag: how far a consumer group is behind the end of its topics."""

import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import msgspec
from kafka import TopicPartition
from kafka.errors import KafkaError

from eventbus.kafka.connecting import connect, unavailable
from eventbus.kafka.reading import RecordReader

PATIENCE_SECONDS = 10.0
POLL_MS = 200
READ_ONLY = {
    "enable_auto_commit": False,
    "allow_auto_create_topics": False,
    "auto_offset_reset": "earliest",  # skip only what retention deletes meanwhile
}
"""Options of consumers that only look and never join a group or commit."""


class PartitionLag(msgspec.Struct, frozen=True):
    """How far a group is behind in one partition.

    :param committed: the committed offset; None if the group has never committed.
    :param earliest: the offset of the first message that Kafka still has (log start offset).
    :param end: the offset that the next message will get.
    :param lag: messages that the group has yet to read.
    :param lost: messages that Kafka deleted before the group had read them.
    :param seconds_behind: age of the first uncommitted message; 0 if there is none.
    """

    topic: str
    partition: int
    committed: int | None
    earliest: int
    end: int
    lag: int
    lost: int
    seconds_behind: float


def group_lag(group: str, topics: Iterable[str]) -> list[PartitionLag]:
    """The lag of a group in each partition of the existing topics, in order.

    It fetches the first unread message of each partition without joining the group: the message
    gives the age, and the fetch response the high watermark, which every broker reports correctly.

    :raises KafkaUnavailable: if no broker answers.
    :raises KafkaRefused: if the login or the certificate is rejected.
    """
    reader = connect(RecordReader, group_id=group, **READ_ONLY)
    with closing(reader):
        try:
            return _read(reader, partitions_of(reader, topics))
        except KafkaError as error:
            raise unavailable(error) from error


def partitions_of(reader: Any, topics: Iterable[str]) -> list[TopicPartition]:
    """The partitions of the existing topics, sorted."""
    found = [TopicPartition(t, p) for t in topics for p in reader.partitions_for_topic(t) or ()]
    return sorted(found)


def _read(reader: Any, partitions: list[TopicPartition]) -> list[PartitionLag]:
    reader.assign(partitions)
    committed = {partition: reader.committed(partition) for partition in partitions}
    earliest = reader.beginning_offsets(partitions) if partitions else {}
    starts = {p: max(committed[p] or 0, earliest[p]) for p in partitions}
    for partition, start in starts.items():
        reader.seek(partition, start)
    first = first_messages(reader, starts)
    now = time.time()
    return [
        _lag(
            p,
            committed=committed[p],
            earliest=earliest[p],
            end=reader.highwater(p),
            first=first.get(p),
            now=now,
        )
        for p in partitions
    ]


def _lag(
    partition: TopicPartition,
    *,
    committed: int | None,
    earliest: int,
    end: int,
    first: Any,
    now: float,
) -> PartitionLag:
    """The lag of one partition from the offsets that were read.

    :param first: the first unread message, if any. It lies before the committed offset if the
        topic was recreated.
    """
    return PartitionLag(
        topic=partition.topic,
        partition=partition.partition,
        committed=committed,
        earliest=earliest,
        end=end,
        lag=end - first.offset if first else 0,
        lost=0 if committed is None else max(0, earliest - committed),
        seconds_behind=round(now - first.timestamp / 1000, 1) if first else 0.0,
    )


def first_messages(reader: Any, starts: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
    """The first message of each partition at or after its start, if there is one.

    Afterwards the reader knows the high watermark of each partition, and all are paused.

    :raises KafkaUnavailable: if a partition does not answer within ten seconds.
    """
    first: dict[TopicPartition, Any] = {}
    unknown = set(starts)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while unknown:
        for partition, records in reader.poll(timeout_ms=POLL_MS).items():
            first.setdefault(partition, records[0])
            reader.pause(partition)
        ends = {partition: reader.highwater(partition) for partition in unknown}
        unknown -= {p for p, end in ends.items() if end is not None and end <= starts[p]}
        unknown -= first.keys()
        if unknown and time.monotonic() > deadline:
            raise unavailable(f"no answer for {len(unknown)} partitions")
    reader.pause(*starts)
    return first
