import threading

import pytest

from eventbus.inbox.running.replay import Replay
from eventbus.inbox.taking.subscriptions import subscriptions
from eventbus.testing.bus import bus

__all__ = ["bus"]


@pytest.fixture
def replay(bus):
    """Replay a topic through all handlers."""

    def replay(topic):
        again = Replay(list(subscriptions), [], [], threading.Event())
        again.take(bus.kafka.records(topic))
        assert again.failed == 0
        return again.replayed.total()

    return replay
