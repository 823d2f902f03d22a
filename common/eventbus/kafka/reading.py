"""Reading records that kafka-python 3.0 refuses to read, and naming those that nobody can read.

kafka-python decodes the names of headers as strict UTF-8 while it polls. The protocol gives them
no encoding (KIP-82), brokers check none, and Java's client replaces what is not UTF-8. A single
record with such a name made ``poll`` fail at the same place for ever.

The hooks below are not public in kafka-python. Where a later version renames them, the tests of
this module fail, and records are read as strictly as kafka-python reads them.
"""

from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError
from kafka.record.default_records import DefaultRecordBatch


class UnreadableRecord(KafkaError):  # type: ignore[misc]
    """What lies at an offset cannot be read: it is damaged, or compressed in an unknown way."""

    def __init__(self, partition: TopicPartition, offset: int, reason: KafkaError) -> None:
        super().__init__(
            f"{partition.topic}/{partition.partition} cannot be read at offset {offset}: {reason}"
        )

    def __str__(self) -> str:
        return str(self.args[0])


class RecordReader(KafkaConsumer):  # type: ignore[misc]
    """kafka-python's consumer, which reads header names that are not UTF-8, too.

    Bytes that are not UTF-8 become escapes in the name, such as ``caf\\xe9``.

    :raises UnreadableRecord: from ``poll``, once what lies before the record has been returned.
    """

    def __init__(self, *topics: str, **options: Any) -> None:
        super().__init__(*topics, **options)
        self._fetcher.PartitionRecords = FetchedRecords


class FetchedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The records that one fetch brought from one partition."""

    def _unpack_records(
        self, tp: TopicPartition, records: Any, *deserializers: Any
    ) -> Iterator[Any]:
        try:
            yield from super()._unpack_records(tp, LenientBatches(records), *deserializers)
        except (CorruptRecordError, UnsupportedCodecError) as error:
            raise UnreadableRecord(tp, self.next_fetch_offset, error) from error


class LenientBatches:
    """The record batches of a fetch.

    :param records: kafka-python's ``MemoryRecords``.
    """

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        """The next batch; None after the last. The older message formats have no headers."""
        batch = self._records.next_batch()
        return LenientBatch(batch._buffer) if isinstance(batch, DefaultRecordBatch) else batch


class LenientBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch that is read strictly until a header name is not UTF-8, and leniently from there."""

    _buffer: bytearray

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer = LenientBytes(self._buffer)
            return super()._read_msg()


class LenientBytes(bytearray):
    """Bytes whose slices decode with escapes for what is not UTF-8."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return LenientBytes(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """As text, whether the bytes are UTF-8 or not."""
        return super().decode(encoding, errors)
