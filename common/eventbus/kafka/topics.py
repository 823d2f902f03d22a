"""Topics: made once, by a command, with their settings said aloud."""

from collections.abc import Iterable
from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from eventbus.conf import bus_settings
from eventbus.kafka.clients import admin
from eventbus.kafka.connecting import KafkaUnavailable

SEGMENT_MS = 24 * 3600 * 1000


class Topic(NamedTuple):
    """A topic as it is, and whether it was made just now."""

    name: str
    partitions: int
    created: bool


def create_topics(names: Iterable[str]) -> list[Topic]:
    """Create the topics that do not exist yet, and leave the others as they are.

    :raises KafkaUnavailable: when no broker answers, or when it does not make them.
    :raises KafkaRefused: when log-in or certificate are refused.
    """
    with admin() as client:
        return [_create(client, name) for name in names]


def missing_topics(names: Iterable[str]) -> str:
    """What keeps these topics from being used; empty when Kafka answers and has them all.

    It asks with the admin client: asking with a producer or consumer makes some brokers create
    the topic, with a number of partitions that nobody chose.

    :raises KafkaRefused: when log-in or certificate are refused.
    """
    try:
        with admin() as client:
            lacking = sorted(set(names).difference(client.list_topics()))
    except KafkaUnavailable as error:
        return str(error)
    if lacking:
        return f"Kafka has no topic {', '.join(lacking)}; the command create_topics makes it"
    return ""


def _create(client: KafkaAdminClient, name: str) -> Topic:
    topic = NewTopic(
        name=name,
        num_partitions=bus_settings().topic_partitions,
        replication_factor=bus_settings().topic_replication_factor,
        topic_configs={
            "retention.ms": str(bus_settings().topic_retention_ms),
            # Kafka deletes whole segments, so an event outlives its retention by up to one.
            "segment.ms": str(SEGMENT_MS),
        },
    )
    try:
        client.create_topics([topic])
        created = True
    except TopicAlreadyExistsError:
        created = False
    [description] = client.describe_topics([name])
    return Topic(name, len(description["partitions"]), created)
