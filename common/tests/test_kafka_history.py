"""History that retention shortens while it is read."""

from kafka import TopicPartition

from eventbus.kafka.history import Extent, History
from eventbus.testing.kafka import InMemoryConsumer, InMemoryKafka, Record

PLACE = TopicPartition("t", 0)


class Reader(InMemoryConsumer):
    """Without a group; after its first message, Kafka deletes everything before an offset."""

    def __init__(self, kafka: InMemoryKafka, begin: int) -> None:
        kafka.consumer("nobody")
        super().__init__(kafka, kafka.groups["nobody"])
        self._generation = self._group.generation
        self._begin = begin

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions)

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        found = super().poll(0, 1)
        if found:
            self._kafka.delete_records({PLACE: self._begin})
        return found


def read(begin: int, end: int = 5) -> tuple[list[int], int]:
    kafka = InMemoryKafka(t=1)
    producer = kafka.producer()
    for number in range(8):
        producer.send("t", b"%d" % number)
    history = History(Reader(kafka, begin), {PLACE: Extent(0, end)})
    offsets = [record.offset for records in history.batches(10) for record in records]
    return offsets, history.lost


def test_messages_deleted_meanwhile_are_counted_and_the_rest_is_read() -> None:
    assert read(begin=0) == ([0, 1, 2, 3, 4], 0)
    assert read(begin=3) == ([0, 3, 4], 2)


def test_a_completely_deleted_history_ends() -> None:
    assert read(begin=5) == ([0], 4)
    assert read(begin=7) == ([0], 4)
