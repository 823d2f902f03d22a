"""kafka-python's clients, as the library configures them, against a real broker."""

import threading
from contextlib import closing

import pytest
from django.db import transaction

from common.contracts.product import TOPIC
from common.tests.conftest import called, product, written
from demo.broker import EmbeddedBroker
from eventbus import outbox
from eventbus.inbox.running.stream import Stream
from eventbus.inbox.running.worker import Limits, Worker
from eventbus.kafka.clients import consumer, producer
from eventbus.outbox.relaying.relay import Relay
from eventbus.testing.bus import CallersThread, active_session

pytestmark = pytest.mark.django_db(transaction=True)


def test_events_go_through_a_broker_in_order_and_once(broker: EmbeddedBroker) -> None:
    assert called("create_topics") == f"{TOPIC}: created, 6 partitions\n"
    with transaction.atomic():
        outbox.publish_all([product(n, version) for version in (1, 2) for n in (1, 2, 3)])
    relay = Relay(producer, CallersThread(), threading.Event())
    with active_session() as session, closing(relay):
        assert relay.relay_waiting(session) == 6
    for _ in range(2):
        work()
    assert sorted(written()) == ["1.1", "1.2", "2.1", "2.2", "3.1", "3.2"]
    assert all(written().index(f"{n}.1") < written().index(f"{n}.2") for n in (1, 2, 3))
    assert "bus_tests" in called("lag")


def work() -> None:
    """Run a worker until everything is read."""
    stop = threading.Event()
    stream = Stream(consumer("bus_tests"), stop)
    Worker(stream, "bus_tests", [TOPIC], stop, limits=Limits(drain=True)).run()
