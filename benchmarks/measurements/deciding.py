"""The cost of subscriptions in the worker of the notification service when few of them match.

The same topic is consumed with none, ten, a thousand and ten thousand subscriptions of all kinds,
one of which matches every hundredth event; then 1,000 events that 1,000 subscriptions all match.
"""

import json
import time
from typing import Any

import psycopg
from rich.progress import track

from benchmarks.report import Goal, Report
from benchmarks.rig import TOPIC, Rig

SUBSCRIPTIONS = (0, 10, 1_000, 10_000)
ROW = "{:,} subscriptions"
ALL_MATCH = "1,000 subscriptions that all match, deliveries/s"
TABLES = (
    "notifications_product, notifications_productevent, notifications_delivery, "
    "eventbus_inbox_inboxmessage"
)
PACE = """
SELECT count(*), extract(epoch FROM max(received_at) - min(received_at))
FROM eventbus_inbox_inboxmessage
"""
NONE_MATCHES = (
    {"condition": "price_dropped", "percent": 95},
    {"products": "list", "product_ids": ["-1"]},
    {"products": "category", "category": "none"},
    {"products": "text", "text": "no such text"},
)
OUT_OF_STOCK = {"condition": "out_of_stock"}


def measure(rig: Rig) -> Report:
    rounds, events = (1, 3_000) if rig.quick else (3, 20_000)
    rig.prepare("notification")
    rig.set_up_django("notification")
    fill(events)
    found: dict[str, list[float]] = {ROW.format(number): [] for number in SUBSCRIPTIONS}
    turns = [number for _ in range(rounds) for number in SUBSCRIPTIONS]
    for number in track(turns, description="Measuring"):
        rig.postgres.execute(f"TRUNCATE {TABLES}", "notification")
        subscribe(number)
        found[ROW.format(number)].append(drain(rig, events))
    none, most = (ROW.format(number) for number in (SUBSCRIPTIONS[0], SUBSCRIPTIONS[-1]))
    rig.postgres.execute(f"TRUNCATE {TABLES}", "notification")
    everything = 100 if rig.quick else 1_000
    subscribe(everything, match_all=True)
    rate = drain(rig, 1_000, "--max-events=1000")
    found[ALL_MATCH] = [rate * everything]
    report = Report("deciding", "events/s", found)
    report.goals = [Goal("10,000 subscriptions to none", report.ratio(most, none), 0.5)]
    return report


def fill(events: int) -> None:
    """Updates of 1,000 products, according to the contract; every hundredth is out of stock."""
    import msgspec

    from benchmarks.fill import event
    from eventbus.events import encode
    from eventbus.events.codec import structured_headers
    from eventbus.kafka.clients import producer
    from eventbus.kafka.topics import create_topics

    create_topics([TOPIC])
    sender = producer()
    for number in range(events):
        envelope = event(number)
        changed = json.loads(bytes(envelope.data)) | COMPLETE
        changed |= {
            "stock": 0 if number % 100 == 0 else 3,
            "previous": {"stock": 5, "price": "21.00"},
        }
        whole = msgspec.structs.replace(envelope, data=msgspec.Raw(json.dumps(changed).encode()))
        key = str(envelope.subject).encode()
        sender.send(TOPIC, value=encode(whole), key=key, headers=structured_headers())
    sender.flush()
    sender.close(timeout=5)


COMPLETE: dict[str, Any] = {
    "description": "",
    "category": "kitchen",
    "is_active": True,
    "created_at": "2026-11-01T12:00:00Z",
    "updated_at": "2026-11-01T12:00:00Z",
}


def subscribe(number: int, match_all: bool = False) -> None:
    """Create this many subscriptions, and delete all others."""
    from django.contrib.auth.models import User

    from notification_service.notifications.models import Subscription
    from notification_service.notifications.models.revisions import change_revision

    owner = User.objects.get()
    Subscription.objects.all().delete()
    wishes = [{} if match_all else NONE_MATCHES[place % 4] for place in range(number)]
    if number and not match_all:
        wishes[0] = OUT_OF_STOCK
    Subscription.objects.bulk_create(Subscription(owner=owner, **wish) for wish in wishes)
    change_revision()


def drain(rig: Rig, events: int, *options: str) -> float:
    """Events per second of one worker, from its first commit to its last."""
    group = f"deciding-{time.monotonic_ns()}"
    words = ["notification", "consume_events", "--drain", f"--group={group}", *options]
    process = rig.start(words, rig.environment("notification"))
    assert process.wait() == 0, (rig.home / "processes.log").read_text()[-2000:]
    with psycopg.connect(rig.postgres.url("notification")) as connection:
        stored, seconds = connection.execute(PACE).fetchone() or (0, 1)
        [[kept]] = connection.execute("SELECT count(*) FROM notifications_productevent")
        assert stored >= events
        assert kept == stored, f"{kept} of {stored} events are kept"
    return float(stored / seconds)
