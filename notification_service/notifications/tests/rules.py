"""Shared by the tests of this service: sending events, and delivering without a process."""

import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

from common.contracts.product import TOPIC
from eventbus.testing.bus import Bus
from notification_service.notifications.delivering.lanes import lanes_due
from notification_service.notifications.delivering.sending import step
from notification_service.notifications.models import Notification, Subscription

Follow = Callable[..., Subscription]

KETTLE = {
    "id": 1, "sku": "K1", "name": "Kettle <b>", "description": "", "category": None,
    "price": "5.00", "currency": "EUR", "stock": 1, "is_active": True, "version": 1,
    "created_at": "2026-11-01T12:00:00Z", "updated_at": "2026-11-01T12:00:00Z",
}  # fmt: skip
_numbers = itertools.count(1)


def send(bus: Bus, event_type: str, **changes: Any) -> str:
    """Send an event to Kafka. Each has the next version of its product, unless one is given.

    :returns: the event's id.
    """
    number = next(_numbers)
    data = {**KETTLE, "version": number, **changes}
    envelope = {
        "specversion": "1.0", "id": f"e{number}", "source": "/product_service",
        "type": event_type, "subject": str(data["id"]), "time": "2026-11-02T10:00:00Z",
        "data": data,
    }  # fmt: skip
    bus.send(TOPIC, json.dumps(envelope).encode(), key=str(data["id"]).encode())
    return f"e{number}"


def consume(bus: Bus, event_type: str, **changes: Any) -> str:
    """Send an event, and let the service consume it."""
    event_id = send(bus, event_type, **changes)
    assert bus.consume().parked == 0
    return event_id


def deliver() -> int:
    """Send everything that is due, including what becomes due by that.

    :returns: the number of messages processed.
    """
    done = 0
    while lanes := lanes_due():
        done += sum(step(lane, threading.Event()) for lane in lanes)
    return done


def texts() -> list[str]:
    """All in-app notifications, oldest first."""
    return list(Notification.objects.order_by("id").values_list("text", flat=True))
