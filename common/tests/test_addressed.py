"""Events that are addressed to one consumer group: the others do not see them."""

import threading

import pytest
from django.db import transaction

from common.tests.conftest import product, written
from eventbus import outbox
from eventbus.inbox.models import InboxMessage
from eventbus.inbox.running.replay import Replay
from eventbus.inbox.taking.subscriptions import subscriptions
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db


def publish(group: str | None, product_id: int) -> None:
    with transaction.atomic():
        outbox.publish_all([product(product_id)], group=group)


def test_only_its_group_handles_it(bus: Bus) -> None:
    publish(None, 1)
    publish(bus.group, 2)
    publish("somebody else", 3)
    assert bus.run().handled == 2
    assert written() == ["1.1", "2.1"]
    assert InboxMessage.objects.count() == 2


def test_replaying_keeps_to_it(bus: Bus) -> None:
    publish(bus.group, 1)
    publish("somebody else", 2)
    bus.relay()
    replay = Replay(list(subscriptions), [], [], threading.Event())
    records = [record for log in bus.kafka.logs.values() for record in log]
    replay.take(records)
    assert (replay.replayed.total(), replay.passed_over) == (1, 1)
