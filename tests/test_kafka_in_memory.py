"""The in-memory Kafka behaves like a real broker: the same tests run against both."""

import threading
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import django
import pytest
from django.conf import settings
from kafka import KafkaAdminClient, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import (
    CommitFailedError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from demo.broker import EmbeddedBroker
from eventbus.conf import bus_settings
from eventbus.kafka import clients
from eventbus.testing.kafka import InMemoryKafka
from tests.stack import eventually

pytestmark = pytest.mark.real_too

PARTITIONS = 3
POLL_MS = 200


class Kafka(Protocol):
    """The common interface: clients as in ``eventbus.kafka.clients``, and new topics."""

    def producer(self) -> clients.Producer: ...
    def consumer(self, group: str) -> clients.Consumer: ...
    def create_topic(self, name: str, partitions: int) -> None: ...
    def delete_records(self, offsets: dict[TopicPartition, int]) -> None: ...


class RealKafka:
    """The clients that the services use, connected to a broker."""

    def __init__(self, server: str) -> None:
        if not settings.configured:
            settings.configure()
            django.setup()
        settings.EVENTBUS = {"SERVICE_NAME": "tests", "KAFKA": {"bootstrap_servers": [server]}}
        bus_settings.cache_clear()
        self.producer = clients.producer
        self.consumer = clients.consumer
        self._server = server

    def create_topic(self, name: str, partitions: int) -> None:
        client = KafkaAdminClient(bootstrap_servers=self._server)
        client.create_topics([NewTopic(name, partitions, 1)])
        client.close()

    def delete_records(self, offsets: dict[TopicPartition, int]) -> None:
        client = KafkaAdminClient(bootstrap_servers=self._server)
        client.delete_records(offsets)
        client.close()


@pytest.fixture(params=["memory", "broker"])
def any_kafka(request: pytest.FixtureRequest) -> Kafka:
    if request.param == "memory":
        return InMemoryKafka()
    return RealKafka(request.getfixturevalue("kafka"))


@pytest.fixture
def topic(any_kafka: Kafka) -> str:
    name = f"contract-{uuid.uuid4()}"
    any_kafka.create_topic(name, PARTITIONS)
    return name


@pytest.fixture
def join(any_kafka: Kafka, topic: str) -> Any:
    """Create members of a group, which leave when the test ends."""
    members: list[clients.Consumer] = []

    def join(group: str) -> clients.Consumer:
        member = any_kafka.consumer(f"{topic}-{group}")
        members.append(member)
        member.subscribe([topic])
        return member

    yield join
    for member in members:
        member.close(timeout_ms=3_000)


Join = Callable[[str], clients.Consumer]


def send(kafka: Kafka, topic: str, *keys: str) -> None:
    producer = kafka.producer()
    for number, key in enumerate(keys):
        headers = [("number", str(number).encode())]
        producer.send(topic, value=b"v%d" % number, key=key.encode(), headers=headers)
    producer.flush(timeout=10)
    producer.close(timeout=1)


def polled(member: clients.Consumer, max_records: int) -> dict[TopicPartition, list[Any]]:
    """The next records, starting with the first if nothing was committed."""
    try:
        return member.poll(timeout_ms=POLL_MS, max_records=max_records)
    except NoOffsetForPartitionError as error:
        for partition, begin in member.beginning_offsets(list(error.args[0])).items():
            member.seek(partition, begin)
        return {}


def read(member: clients.Consumer, count: int) -> list[Any]:
    """At least this many of the next records; no poll may exceed the batch size."""
    records: list[Any] = []

    def poll() -> bool:
        batches = polled(member, max_records=2)
        batch = [record for of_partition in batches.values() for record in of_partition]
        assert len(batch) <= 2
        records.extend(batch)
        return len(records) >= count

    eventually(poll)
    return records


def commit(member: clients.Consumer, record: Any) -> None:
    place = TopicPartition(record.topic, record.partition)
    member.commit({place: OffsetAndMetadata(record.offset + 1, "", -1)})


def test_records_come_back_as_they_were_sent(any_kafka: Kafka, topic: str, join: Join) -> None:
    send(any_kafka, topic, "a")
    [record] = read(join("g"), 1)
    assert (record.topic, record.offset, record.key, record.value) == (topic, 0, b"a", b"v0")
    assert list(record.headers) == [("number", b"0")]


def test_a_key_keeps_its_partition_and_its_order(any_kafka: Kafka, topic: str, join: Join) -> None:
    send(any_kafka, topic, *"abcabcabc")
    records = read(join("g"), 9)
    for key in (b"a", b"b", b"c"):
        of_key = [record for record in records if record.key == key]
        assert len({record.partition for record in of_key}) == 1
        assert [record.offset for record in of_key] == sorted(r.offset for r in of_key)
        assert [record.value for record in of_key] == sorted(r.value for r in of_key)


def test_both_choose_the_same_partition_for_a_key(topic: str, join: Join, any_kafka: Kafka) -> None:
    send(any_kafka, topic, *"abcdefgh")
    places = {record.key: record.partition for record in read(join("g"), 8)}
    memory = InMemoryKafka(**{topic: PARTITIONS})
    send(memory, topic, *"abcdefgh")
    assert places == {record.key: record.partition for record in memory.records(topic)}


def test_a_group_resumes_from_committed_offsets(any_kafka: Kafka, topic: str, join: Join) -> None:
    send(any_kafka, topic, "a", "a", "a", "a")
    first = join("g")
    second_record = read(first, 4)[1]
    commit(first, second_record)
    first.close(timeout_ms=3_000)
    assert [record.value for record in read(join("g"), 2)] == [b"v2", b"v3"]
    assert len(read(join("another group"), 4)) == 4


def test_position_and_high_watermark_meet_when_all_is_read(
    any_kafka: Kafka, topic: str, join: Join
) -> None:
    send(any_kafka, topic, "a", "b", "a")
    member = join("g")
    read(member, 3)
    eventually(lambda: polled(member, max_records=10) == {} and caught_up(member))
    assert sum(member.highwater(place) or 0 for place in member.assignment()) == 3


def caught_up(member: clients.Consumer) -> bool:
    places = member.assignment()
    return len(places) == PARTITIONS and all(
        member.position(place) == member.highwater(place) for place in places
    )


def test_without_a_committed_offset_the_caller_must_seek(
    any_kafka: Kafka, topic: str, join: Join
) -> None:
    send(any_kafka, topic, "a")
    member = join("g")
    with pytest.raises(NoOffsetForPartitionError) as raised:
        eventually(lambda: member.poll(timeout_ms=POLL_MS, max_records=1))
    partitions = {TopicPartition(topic, number) for number in range(PARTITIONS)}
    assert set(raised.value.args[0]) == partitions == member.assignment()
    assert member.beginning_offsets(sorted(partitions)) == dict.fromkeys(partitions, 0)


DELETING = ["memory", pytest.param("broker", marks=pytest.mark.real)]
"""The embedded broker deletes nothing."""


@pytest.mark.parametrize("any_kafka", DELETING, indirect=True)
@pytest.mark.parametrize("committed", [1, 2, None])
def test_an_offset_that_was_deleted_is_an_error_that_names_it(
    any_kafka: Kafka, topic: str, join: Join, committed: int | None
) -> None:
    """Both for a member that has just joined and for one that has read up to there."""
    send(any_kafka, topic, *"aaaaaa")
    member = join("g")
    first, *_ = read(member, 2)
    place = TopicPartition(topic, first.partition)
    if committed is not None:
        member.commit({place: OffsetAndMetadata(committed, "", -1)})
        member.close(timeout_ms=3_000)
        any_kafka.delete_records({place: 4})
        member = join("g")
    else:
        read(member, 4)
        send(any_kafka, topic, *"aa")
        any_kafka.delete_records({place: 8})
        member.seek(place, 6)
    expected = 6 if committed is None else committed
    begin = 8 if committed is None else 4
    with pytest.raises(OffsetOutOfRangeError) as raised:
        eventually(lambda: polled_beside(member, place))
    assert raised.value.args[0] == {place: expected}
    assert member.beginning_offsets([place]) == {place: begin}
    member.seek(place, begin)
    if committed is not None:
        assert [record.offset for record in read(member, 2)] == [4, 5]


def polled_beside(member: clients.Consumer, place: TopicPartition) -> list[Any]:
    """What comes from a partition while the others start at their beginning."""
    return polled(member, max_records=2).get(place, [])


class Member:
    """A member that polls in a thread of its own, as a worker process does."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.partitions: set[TopicPartition] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(kafka.consumer(topic), topic))
        self._thread.start()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self, consumer: clients.Consumer, topic: str) -> None:
        consumer.subscribe([topic])
        while not self._stop.is_set():
            polled(consumer, max_records=1)
            self.partitions = set(consumer.assignment())
        consumer.close(timeout_ms=3_000)


def test_members_share_the_partitions_and_inherit_them(any_kafka: Kafka, topic: str) -> None:
    one = Member(any_kafka, topic)
    eventually(lambda: len(one.partitions) == PARTITIONS)
    other = Member(any_kafka, topic)
    eventually(lambda: len(other.partitions) in (1, 2))
    eventually(lambda: len(one.partitions) + len(other.partitions) == PARTITIONS)
    assert not one.partitions & other.partitions
    other.leave()
    eventually(lambda: len(one.partitions) == PARTITIONS)
    one.leave()


@pytest.mark.parametrize("kind", ["memory", "broker"])
def test_a_closed_producer_abandons_unsent_messages(kind: str, own_kafka: EmbeddedBroker) -> None:
    broker = InMemoryKafka() if kind == "memory" else own_kafka
    broker.start()
    kafka = broker if isinstance(broker, InMemoryKafka) else RealKafka(own_kafka.server)
    kafka.create_topic("events", PARTITIONS)
    producer = kafka.producer()
    producer.send("events", value=b"1", key=b"a", headers=[]).get(timeout=10)
    broker.stop()
    future = producer.send("events", value=b"2", key=b"a", headers=[])
    with pytest.raises(KafkaTimeoutError):
        producer.flush(timeout=0.2)
    producer.close(timeout=0.2)
    with pytest.raises(KafkaError) as refused:
        future.get(timeout=5)
    assert not isinstance(refused.value, KafkaTimeoutError)


def test_a_commit_after_a_rebalance_is_refused() -> None:
    """Only in memory: a real broker waits five minutes for a member that does not poll."""
    kafka = InMemoryKafka(events=PARTITIONS)
    send(kafka, "events", "a")
    zombie = kafka.consumer("g")
    zombie.subscribe(["events"])
    [record] = read(zombie, 1)
    heir = kafka.consumer("g")
    heir.subscribe(["events"])
    with pytest.raises(CommitFailedError):
        commit(zombie, record)
