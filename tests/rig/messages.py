"""Direct access to the topic: read its messages, and write as a hostile producer."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

TOPIC = "product.events"
LARGEST_BYTES = 4_000_000


def message_count(kafka: str) -> int:
    """The number of messages on the topic."""
    with closing(KafkaConsumer(bootstrap_servers=kafka.split(","))) as consumer:
        return sum(consumer.end_offsets(_partitions(consumer)).values())


def lag(kafka: str, group: str) -> int:
    """The number of messages that the group has not committed."""
    with closing(KafkaConsumer(bootstrap_servers=kafka.split(","), group_id=group)) as consumer:
        ends = consumer.end_offsets(_partitions(consumer))
        return sum(end - (consumer.committed(p) or 0) for p, end in ends.items())


def messages(kafka: str) -> list[tuple[bytes, bytes]]:
    """Key and value of all messages on the topic."""
    with closing(KafkaConsumer(bootstrap_servers=kafka.split(","))) as consumer:
        partitions = _partitions(consumer)
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        found: list[tuple[bytes, bytes]] = []
        while any(consumer.position(p) < ends[p] for p in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += [(record.key, record.value) for record in records]
    return found


@contextmanager
def hostile_producer(kafka: str) -> Iterator[KafkaProducer]:
    """A producer for arbitrary messages, on a topic that accepts large ones."""
    servers = kafka.split(",")
    largest = {"max.message.bytes": str(LARGEST_BYTES)}
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs=largest)])
    producer = KafkaProducer(
        bootstrap_servers=servers, max_request_size=LARGEST_BYTES, enable_idempotence=False
    )
    with closing(producer):
        yield producer


def _partitions(consumer: KafkaConsumer) -> list[TopicPartition]:
    return [TopicPartition(TOPIC, number) for number in consumer.partitions_for_topic(TOPIC)]
