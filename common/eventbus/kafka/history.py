"""History: the past messages of topics, read without affecting any consumer group."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from eventbus.kafka.connecting import connect, unavailable
from eventbus.kafka.lag import READ_ONLY, first_messages, partitions_of
from eventbus.kafka.reading import RecordReader

POLL_MS = 500
STALLED_SECONDS = 30.0


@dataclass(frozen=True)
class Extent:
    """The offsets to read in one partition: from ``start``, inclusive, to ``end``, exclusive."""

    start: int
    end: int


class History:
    """The messages of some topics from a point in time up to now.

    :param reader: an unused kafka-python consumer. kafka-python 3.0 may never resume a partition
        that was paused, and finding the extents pauses them; so this needs another consumer.
    :param extents: the offsets to read in each partition.
    """

    def __init__(self, reader: Any, extents: dict[TopicPartition, Extent]) -> None:
        self._reader = reader
        self._extents = extents
        self.lost = 0
        """Messages that Kafka deleted before they were read."""

    @property
    def count(self) -> int:
        """Number of messages by their offsets; compacted topics have fewer."""
        return sum(extent.end - extent.start for extent in self._extents.values())

    def batches(self, size: int) -> Iterator[list[Any]]:
        """The messages in batches of at most ``size``, in order within each partition.

        :raises KafkaUnavailable: if Kafka sends nothing for ``STALLED_SECONDS``.
        """
        unfinished = {p for p, extent in self._extents.items() if extent.start < extent.end}
        self._reader.assign(list(unfinished))
        for partition in unfinished:
            self._reader.seek(partition, self._extents[partition].start)
        heard = time.monotonic()
        while unfinished:
            messages = [record for record in self._poll(size) if self._has(record)]
            if messages:
                yield messages
            finished = {p for p in unfinished if self._is_read(p)}
            unfinished -= finished
            if messages or finished:
                heard = time.monotonic()
            elif time.monotonic() - heard > STALLED_SECONDS:
                raise unavailable(f"no messages received for {STALLED_SECONDS:.0f} s")

    def _poll(self, size: int) -> list[Any]:
        try:
            polled = self._reader.poll(POLL_MS, max_records=size)
        except OffsetOutOfRangeError as error:
            self._go_on_behind(error.args[0])
            return []
        except KafkaError as error:
            raise unavailable(error) from error
        return [record for records in polled.values() for record in records]

    def _go_on_behind(self, wanted: dict[TopicPartition, int]) -> None:
        """Resume from the first remaining messages: retention may overtake a long read."""
        try:
            begins = self._reader.beginning_offsets(list(wanted))
        except KafkaError as error:
            raise unavailable(error) from error
        for partition, offset in wanted.items():
            self._reader.seek(partition, begins[partition])
            end = self._extents[partition].end
            self.lost += max(0, min(begins[partition], end) - offset)

    def _has(self, record: Any) -> bool:
        """Whether a record lies before the end; a fetch may return newer ones as well."""
        partition = TopicPartition(record.topic, record.partition)
        return bool(record.offset < self._extents[partition].end)

    def _is_read(self, partition: TopicPartition) -> bool:
        return bool(self._reader.position(partition) >= self._extents[partition].end)


@contextmanager
def history(topics: Iterable[str], since: datetime | None) -> Iterator[History]:
    """The history of topics, for the duration of a ``with`` block.

    :param since: time of the earliest message to read; None for everything Kafka has.
    :raises KafkaUnavailable: if no broker answers.
    :raises KafkaRefused: if the login or the certificate is rejected.
    """
    with closing(connect(RecordReader, **READ_ONLY)) as scout:
        try:
            extents = _extents(scout, topics, since)
        except KafkaError as error:
            raise unavailable(error) from error
    options = {**READ_ONLY, "auto_offset_reset": "none"}
    with closing(connect(RecordReader, **options)) as reader:
        yield History(reader, extents)


def _extents(
    scout: Any, topics: Iterable[str], since: datetime | None
) -> dict[TopicPartition, Extent]:
    partitions = partitions_of(scout, topics)
    scout.assign(partitions)
    starts = _starts(scout, partitions, since)
    scout.assign(list(starts))
    for partition, start in starts.items():
        scout.seek(partition, start)
    first_messages(scout, starts)
    ends = {partition: scout.highwater(partition) for partition in starts}
    return {p: Extent(start, max(start, ends[p])) for p, start in starts.items()}


def _starts(
    scout: Any, partitions: list[TopicPartition], since: datetime | None
) -> dict[TopicPartition, int]:
    if since is None:
        scout.seek_to_beginning(*partitions)
        return {partition: scout.position(partition) for partition in partitions}
    moment = int(since.timestamp() * 1000)
    found = scout.offsets_for_times(dict.fromkeys(partitions, moment))
    # Where no message of a partition is recent enough, Kafka returns no offset, but Tansu returns
    # the first one with a timestamp of -1.
    return {p: at.offset for p, at in found.items() if at is not None and at.timestamp >= moment}
