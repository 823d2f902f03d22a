import threading

import pytest

from eventbus.inbox.running.replay import Replay
from eventbus.inbox.taking.subscriptions import subscriptions
from eventbus.testing.bus import bus

__all__ = ["bus"]


@pytest.fixture
def replay(bus):
    """Feed all that a topic has through every handler again."""

    def replay(topic):
        again = Replay(list(subscriptions), [], [], threading.Event())
        again.take(bus.kafka.records(topic))
        assert again.failed == 0
        return again.replayed.total()

    return replay
