import threading
from collections.abc import Callable

import pytest

from eventbus.inbox.running.replay import Replay
from eventbus.inbox.taking.subscriptions import subscriptions
from eventbus.testing.bus import Bus, bus

__all__ = ["bus"]


@pytest.fixture
def replay(bus: Bus) -> Callable[[str], int]:
    """Replay a topic through all handlers."""

    def replay(topic: str) -> int:
        again = Replay(list(subscriptions), [], [], threading.Event())
        again.take(bus.kafka.records(topic))
        assert again.failed == 0
        return again.replayed.total()

    return replay
