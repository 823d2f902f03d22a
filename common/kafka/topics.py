"""Topics: made once, by a command, with their settings said aloud."""

from typing import NamedTuple

from django.conf import settings
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from common.kafka.clients import admin


class Topic(NamedTuple):
    name: str
    partitions: int
    created: bool


def create_topics(names: list[str]) -> list[Topic]:
    """Create the topics that do not exist yet, and leave the others as they are.

    :raises KafkaUnavailable: when no broker answers.
    """
    client = admin()
    try:
        return [_create(client, name) for name in names]
    finally:
        client.close()


def _create(client, name: str) -> Topic:  # type: ignore[no-untyped-def]
    topic = NewTopic(
        name=name,
        num_partitions=settings.KAFKA_TOPIC_PARTITIONS,
        replication_factor=settings.KAFKA_TOPIC_REPLICATION_FACTOR,
        topic_configs={"retention.ms": str(settings.KAFKA_TOPIC_RETENTION_MS)},
    )
    try:
        client.create_topics([topic])
        created = True
    except TopicAlreadyExistsError:
        created = False
    [description] = client.describe_topics([name])
    return Topic(name, len(description["partitions"]), created)
