"""What the tests of this service share: events to send, and delivering without a process."""

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
    """Put an event into Kafka. Each is a newer version of its product, unless it names one.

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
    """The same, and let the service decide about it."""
    event_id = send(bus, event_type, **changes)
    assert bus.consume().parked == 0
    return event_id


def deliver() -> int:
    """Send what is due, and whatever that makes due.

    :returns: how many messages were dealt with.
    """
    done = 0
    while lanes := lanes_due():
        done += sum(step(lane, threading.Event()) for lane in lanes)
    return done


def texts() -> list[str]:
    """The in-app notifications of everybody, the oldest first."""
    return list(Notification.objects.order_by("id").values_list("text", flat=True))
