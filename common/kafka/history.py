"""History: what lies on topics between two points in time, read without disturbing any group."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from common.kafka.connecting import connect, unavailable
from common.kafka.lag import first_messages, partitions_of

POLL_MS = 500
STALLED_SECONDS = 30.0


class History:
    """The messages of some topics, from a moment on, up to now.

    :param reader: a kafka-python consumer without a group: it commits no offsets.
    :param topics: which to read.
    :param since: the time of the first message that counts; None for all that Kafka has.
    """

    def __init__(self, reader: Any, topics: Iterable[str], since: datetime | None) -> None:
        self._reader = reader
        partitions = partitions_of(reader, topics)
        reader.assign(partitions)
        self._starts = _starts(reader, partitions, since)
        reader.assign(list(self._starts))  # a partition that has none to read would bring new ones
        for partition, start in self._starts.items():
            reader.seek(partition, start)
        first_messages(reader, self._starts)
        self._ends = {partition: reader.highwater(partition) for partition in self._starts}

    @property
    def count(self) -> int:
        """How many messages it has, by their offsets; compacted topics have fewer."""
        return sum(max(0, end - self._starts[p]) for p, end in self._ends.items())

    def batches(self, size: int) -> Iterator[list[Any]]:
        """The messages, so many at a time at the most, in order within each partition.

        :raises KafkaUnavailable: when Kafka has sent nothing for ``STALLED_SECONDS``.
        """
        unfinished = {p for p, start in self._starts.items() if start < self._ends[p]}
        for partition in unfinished:
            self._reader.seek(partition, self._starts[partition])
            self._reader.resume(partition)
        heard = time.monotonic()
        while unfinished:
            polled = self._poll(size)
            messages = [
                record
                for partition, records in polled.items()
                for record in records
                if record.offset < self._ends[partition]
            ]
            if messages:
                yield messages
            if polled:
                heard = time.monotonic()
            elif time.monotonic() - heard > STALLED_SECONDS:
                raise unavailable(f"nothing came for {STALLED_SECONDS:.0f} s")
            finished = {p for p in unfinished if self._reader.position(p) >= self._ends[p]}
            self._reader.pause(*finished)
            unfinished -= finished

    def _poll(self, size: int) -> dict[TopicPartition, list[Any]]:
        try:
            polled: dict[TopicPartition, list[Any]] = self._reader.poll(POLL_MS, max_records=size)
        except KafkaError as error:
            raise unavailable(error) from error
        return polled


@contextmanager
def history(topics: Iterable[str], since: datetime | None) -> Iterator[History]:
    """The history of topics, for the length of a ``with`` block.

    :param since: the time of the first message that counts; None for all that Kafka has.
    :raises KafkaUnavailable: when no broker answers.
    :raises KafkaRefused: when log-in or certificate are refused.
    """
    options = {"enable_auto_commit": False, "allow_auto_create_topics": False}
    with closing(connect(KafkaConsumer, **options)) as reader:
        try:
            found = History(reader, topics, since)
        except KafkaError as error:
            raise unavailable(error) from error
        yield found


def _starts(
    reader: Any, partitions: list[TopicPartition], since: datetime | None
) -> dict[TopicPartition, int]:
    if since is None:
        reader.seek_to_beginning(*partitions)
        return {partition: reader.position(partition) for partition in partitions}
    moment = int(since.timestamp() * 1000)
    found = reader.offsets_for_times(dict.fromkeys(partitions, moment))
    # A partition without a message that is young enough has none to read. Kafka answers with no
    # offset then, Tansu with the first one and a timestamp of -1.
    return {p: at.offset for p, at in found.items() if at is not None and at.timestamp >= moment}
