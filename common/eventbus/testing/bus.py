"""The whole bus in a test: relay and worker over an in-memory Kafka, run step by step.

In a ``conftest.py``::

    from eventbus.testing.bus import bus

    __all__ = ["bus"]

and in a test::

    def test_a_new_product_is_recorded(bus):
        outbox.publish(ProductCreated(...))
        bus.run()
        assert AuditEntry.objects.get().type == "product.created"

A failed event is parked and retried according to its handler's ``Retry``, without real waiting::

        bus.travel(minutes=10)
"""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F

from eventbus.conf import bus_settings
from eventbus.events.codec import structured_headers
from eventbus.events.contract import topics
from eventbus.testing.kafka import InMemoryKafka

if TYPE_CHECKING:
    from eventbus.inbox.running.tally import Tally
    from eventbus.outbox.relaying.session import ActiveSession

# Relay and worker are imported where they are used: a service may have only one of them.


class CallersThread(Executor):
    """Runs work immediately, in the thread and the transaction of the test."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


@contextmanager
def active_session() -> "Iterator[ActiveSession]":
    """The right to relay, which :class:`~eventbus.outbox.relaying.relay.Relay` normally acquires itself.

    :raises RuntimeError: if another relay of this database is active.
    """
    from eventbus.outbox.relaying.session import ActiveSession

    session = ActiveSession.begin()
    if session is None:
        raise RuntimeError("another relay of this database is active")
    try:
        yield session
    finally:
        session.end()


@dataclass
class Bus:
    """An in-memory Kafka, with a relay to publish to it and a worker to consume from it.

    :param kafka: the broker; it has the topics of all imported contracts.
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
        """Send one message like a foreign producer; without headers, in structured mode."""
        pairs = structured_headers() if headers is None else list(headers)
        self.kafka.create_topic(topic)
        self.kafka.producer().send(topic, value, key, pairs)

    def relay(self) -> int:
        """Relay all waiting events of the outbox.

        :returns: the number of events sent.
        """
        from eventbus.outbox.relaying.relay import Relay

        with active_session() as session:
            relay = Relay(self.kafka.producer, CallersThread(), threading.Event())
            return relay.relay_waiting(session)

    def consume(self, batch_size: int = 500) -> "Tally":
        """Run this service's handlers until the worker has caught up and no parked event is due.

        :param batch_size: maximum number of messages per transaction.
        :returns: what the worker counted.
        """
        from eventbus.inbox.running.stream import Stream
        from eventbus.inbox.running.worker import Limits, Worker

        topics = sorted({partition.topic for partition in self.kafka.logs})
        stop = threading.Event()
        stream = Stream(self.kafka.consumer(self.group), stop)
        worker = Worker(stream, self.group, topics, stop, batch_size, Limits(drain=True))
        worker.run()
        return worker.tally

    def consume_again(self) -> "Tally":
        """Redeliver everything, as after a crash before the offsets were committed."""
        self.kafka.forget_offsets(self.group)
        return self.consume()

    def run(self) -> "Tally":
        """Relay, then consume: everything that normally happens after a commit."""
        self.relay()
        return self.consume()

    def travel(self, **time: float) -> "Tally":
        """Consume as if time had passed: parked events that are due by then are retried.

        :param time: as for a ``timedelta``, such as ``minutes=10``.
        """
        from eventbus.inbox.models import ParkedKey

        waiting = ParkedKey.objects.filter(consumer=self.group, next_try_at__isnull=False)
        waiting.update(next_try_at=F("next_try_at") - timedelta(**time))
        return self.consume()

    def retry_parked(self) -> "Tally":
        """Consume as if someone had chosen *retry now* for every parked event, dead or not."""
        from eventbus.inbox.models import ParkedEvent
        from eventbus.inbox.parking.decisions import retry_now

        line = ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN)
        for event in line.values_list("id", flat=True):
            retry_now(event, by="a test")
        return self.consume()


@pytest.fixture
def bus() -> Bus:
    """A separate bus for each test."""
    kafka = InMemoryKafka()
    for topic in topics():
        kafka.create_topic(topic, partitions=3)
    return Bus(kafka, bus_settings().group)
