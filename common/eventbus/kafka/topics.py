"""Topics: created once, by a command, with explicit settings."""

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
    """A topic, and whether it has just been created."""

    name: str
    partitions: int
    created: bool


def create_topics(names: Iterable[str]) -> list[Topic]:
    """Create the topics that do not exist yet, and leave the others as they are.

    :raises KafkaUnavailable: if no broker answers, or if it does not create them.
    :raises KafkaRefused: if the login or the certificate is rejected.
    """
    with admin() as client:
        return [_create(client, name) for name in names]


def missing_topics(names: Iterable[str]) -> str:
    """Why these topics cannot be used yet; empty if Kafka answers and has all of them.

    Asks with the admin client: a metadata request from a producer or consumer makes some brokers
    create the topic with a default number of partitions.

    :raises KafkaRefused: if the login or the certificate is rejected.
    """
    try:
        with admin() as client:
            lacking = sorted(set(names).difference(client.list_topics()))
    except KafkaUnavailable as error:
        return str(error)
    if lacking:
        return f"Kafka has no topic {', '.join(lacking)}; create it with create_topics"
    return ""


def _create(client: KafkaAdminClient, name: str) -> Topic:
    topic = NewTopic(
        name=name,
        num_partitions=bus_settings().topic_partitions,
        replication_factor=bus_settings().topic_replication_factor,
        topic_configs={
            "retention.ms": str(bus_settings().topic_retention_ms),
            # Kafka deletes whole segments, so messages outlive the retention by up to one segment.
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
