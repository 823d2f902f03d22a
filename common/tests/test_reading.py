"""Records that kafka-python cannot read by itself, and those that nobody can read."""

import struct
from contextlib import closing
from io import StringIO

import msgspec
import pytest
from django.core.management import CommandError, call_command
from kafka import TopicPartition
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record import MemoryRecords
from kafka.record.memory_records import MemoryRecordsBuilder

from common.contracts.product import TOPIC
from common.tests.conftest import called, product, written
from common.tests.test_broker import work
from eventbus.events import Envelope, encode
from eventbus.events.codec import headers_from_text, structured_headers
from eventbus.inbox.models import ParkedEvent
from eventbus.kafka.clients import producer
from eventbus.kafka.history import history
from eventbus.kafka.reading import FetchedRecords, UnreadableRecord

PLACE = TopicPartition("t", 3)


class Latin(str):
    """A text that a client encodes as it likes, as those in C and Go do."""

    __slots__ = ()

    def encode(self, *_):
        return super().encode("latin-1")


CAFE = (Latin("café"), b"1")


def event(number: int) -> bytes:
    content = product(1, number)
    data = msgspec.Raw(msgspec.json.encode(content))
    return encode(
        Envelope(
            specversion="1.0",
            id=str(number),
            source="/foreign",
            type=content.event_type,
            subject=content.subject,
            sequence=number,
            data=data,
        )
    )


@pytest.mark.django_db(transaction=True)
def test_a_header_name_that_is_not_utf_8_costs_no_event_and_stops_no_worker(broker):
    called("create_topics")
    with closing(producer()) as sender:
        for number in (1, 2, 3):
            headers = [*structured_headers(), *([CAFE] if number == 2 else [])]
            sender.send(TOPIC, value=event(number), key=b"1", headers=headers)
        sender.send(TOPIC, value=b"no event", key=b"1", headers=[CAFE])
        sender.send(TOPIC, value=event(4), key=b"1", headers=structured_headers())
        sender.flush()
    work()
    assert written() == ["1.1", "1.2", "1.3", "1.4"]
    parked = ParkedEvent.objects.get()
    assert (parked.offset, bytes(parked.value)) == (3, b"no event")
    assert headers_from_text(parked.headers) == (("caf\\xe9", b"1"),)
    with history([TOPIC], None) as found:
        assert [len(records) for records in found.batches(10)] == [5]


def fetched(batches: bytes) -> FetchedRecords:
    return FetchedRecords(0, PLACE, MemoryRecords(batches))


VALUE = b"v" * 1000


def batch(*names: str, first: int = 0, compression: int = 0) -> bytearray:
    """A record batch with one record for each header name."""
    builder = MemoryRecordsBuilder(2, compression, batch_size=100_000)
    for name in names:
        builder.append(timestamp=0, key=b"k", value=VALUE, headers=[(name, b"1"), ("b", None)])
    builder.close()
    built = bytearray(builder.buffer())
    struct.pack_into(">q", built, 0, first)  # the base offset, which brokers assign
    return built


GZIP = 1


@pytest.mark.parametrize("compression", [0, GZIP])
def test_all_records_of_a_batch_are_read_and_only_the_bad_names_are_escaped(compression):
    names = ["a", Latin("ä"), "日本", Latin("\xff\xfe"), "z"]
    records = fetched(batch(*names, compression=compression)).take()
    assert [record.headers[0][0] for record in records] == ["a", "\\xe4", "日本", "\\xff\\xfe", "z"]
    assert [record.offset for record in records] == [0, 1, 2, 3, 4]
    assert {(r.key, r.value, r.headers[1]) for r in records} == {(b"k", VALUE, ("b", None))}
    assert all(type(record.value) is bytes for record in records)


def test_a_damaged_batch_is_named_after_what_lies_before_it_was_returned():
    damaged = batch("a", "b", first=2)
    damaged[-1] ^= 1
    records = fetched(bytes(batch("a", "b") + damaged))
    assert [record.offset for record in records.take()] == [0, 1]
    with pytest.raises(UnreadableRecord, match=r"^t/3 cannot be read at offset 2: .*crc") as raised:
        records.take()
    assert isinstance(raised.value.__cause__, CorruptRecordError)
    assert not raised.value.retriable


def test_an_unknown_compression_is_named(monkeypatch):
    compressed = bytes(batch("a", compression=GZIP))
    monkeypatch.setattr("kafka.codec.has_gzip", lambda: False)
    said = r"^t/3 cannot be read at offset 0: .*gzip"
    with pytest.raises(UnreadableRecord, match=said) as raised:
        fetched(compressed).take()
    assert isinstance(raised.value.__cause__, UnsupportedCodecError)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_meets_a_damaged_record_ends_with_one_line_and_commits_what_it_did(
    broker, monkeypatch
):
    """As it is started again it ends there again, and passes nothing over."""
    called("create_topics")
    with closing(producer()) as sender:
        for number in (1, 2):
            sender.send(TOPIC, value=event(number), key=b"1", headers=structured_headers())
            sender.flush()  # a batch for each
    real = MemoryRecords.next_batch

    def next_batch(self):
        found = real(self)
        if found is not None and found.last_offset >= 1:
            found._buffer[-1] ^= 1
        return found

    monkeypatch.setattr(MemoryRecords, "next_batch", next_batch)
    for _ in range(2):
        with pytest.raises(CommandError, match=rf"^{TOPIC}/\d cannot be read at offset 1: ") as end:
            call_command("consume_events", group="bus_tests", drain=True, stdout=StringIO())
        assert "set its offset behind the record" in str(end.value)
        assert "\n" not in str(end.value)
        assert end.value.returncode == 1
        assert written() == ["1.1"]
    monkeypatch.undo()
    work()
    assert written() == ["1.1", "1.2"]
