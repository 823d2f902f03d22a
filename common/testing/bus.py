"""The whole bus in a test: relay and worker over an in-memory Kafka, run step by step.

In a ``conftest.py``::

    from common.testing.bus import bus

    __all__ = ["bus"]

and in a test::

    def test_a_new_product_is_recorded(bus):
        outbox.publish(ProductCreated(...))
        bus.run()
        assert AuditEntry.objects.get().type == "product.created"
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.conf import settings

from common.events.codec import structured_headers
from common.events.contract import topics
from common.testing.kafka import InMemoryKafka

if TYPE_CHECKING:
    from common.inbox.worker import Worker

# Relay and worker are imported where they are used: a service may have one of them alone.


@dataclass
class Bus:
    """An in-memory Kafka with the relay before it and the worker behind it.

    :param kafka: the broker; it has every topic of the contracts that are imported.
    :param group: the consumer group of the worker.
    """

    kafka: InMemoryKafka
    group: str

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] | None = None,
    ) -> None:
        """Store one message as another producer would; without headers, in structured mode."""
        pairs = structured_headers() if headers is None else list(headers)
        self.kafka.create_topic(topic)
        self.kafka.producer().send(topic, value, key, pairs)

    def relay(self) -> int:
        """Relay what waits in the outbox.

        :returns: how many events were sent.
        """
        from common.outbox.relay import Relay

        return Relay(self.kafka.producer, threading.Event()).relay_batch()

    def consume(self, batch_size: int = 500) -> "Worker":
        """Run this service's handlers until the worker has caught up.

        :param batch_size: the most messages in one transaction.
        :returns: the worker, which counts what it handled and parked.
        """
        from common.inbox.worker import Worker

        topics = sorted({partition.topic for partition in self.kafka.logs})
        member = self.kafka.consumer(self.group)
        worker = Worker(member, self.group, topics, batch_size=batch_size, drain=True)
        worker.run()
        return worker

    def consume_again(self) -> "Worker":
        """As after a crash before the offsets were committed: everything is delivered again."""
        self.kafka.forget_offsets(self.group)
        return self.consume()

    def run(self) -> "Worker":
        """Relay, then consume: what happens after a commit, at once."""
        self.relay()
        return self.consume()

    def retry_parked(self) -> tuple[int, int]:
        """Run parked events again.

        :returns: how many were handled, and how many still wait.
        """
        from common.inbox import parking

        return parking.retry(self.group)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """A bus of its own for each test; a worker's retries do not pause."""
    if apps.is_installed("common.inbox"):
        monkeypatch.setattr("common.inbox.processing.BACKOFF_SECONDS", 0)
    kafka = InMemoryKafka()
    for topic in topics():
        kafka.create_topic(topic, partitions=3)
    return Bus(kafka, getattr(settings, "CONSUMER_GROUP", "tests"))
