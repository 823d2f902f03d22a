"""How fast an outbox gets to Kafka: ours, others, and plain kafka-python.

Each sends events of the same bytes. The other outboxes pass them to a producer like ours without
waiting for it, which is faster than what they promise; their cost is how they mark rows as sent.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.report import Goal, Report
from benchmarks.rig import Rig
from eventbus.conf import bus_settings

OURS = "relay of this project"
RAW = "kafka-python alone, the same bytes"
PATTERN = "django-outbox-pattern"
JAIMINHO = "jaiminho"
WAYS = {RAW: "raw", OURS: "ours", PATTERN: "pattern", JAIMINHO: "jaiminho"}


def measure(rig: Rig) -> Report:
    rounds, many, few = (2, 5_000, 500) if rig.quick else (5, 20_000, 2_000)
    environment = rig.environment("product", DJANGO_SETTINGS_MODULE="benchmarks.peers.outboxes")
    rig.prepare("product")
    rig.python("django", ["migrate", "--verbosity=0"], environment)
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            count = many if name in (RAW, OURS) else few
            output = rig.python("benchmarks.measurements.relay", [way, str(count)], environment)
            rates[name].append(float(output.split()[-1]))
    report = Report("relay", "events/s", rates)
    report.goals = [
        Goal("relay to kafka-python alone", report.ratio(OURS, RAW), 0.9),
        Goal("relay to django-outbox-pattern", report.ratio(OURS, PATTERN), 10),
        Goal("relay to jaiminho", report.ratio(OURS, JAIMINHO), 10),
    ]
    return report


def bodies(count: int) -> list[tuple[str, str]]:
    """Key and envelope of a number of events."""
    from benchmarks.fill import event
    from eventbus.events import encode

    made = [event(number) for number in range(count)]
    return [(str(envelope.subject), encode(envelope).decode()) for envelope in made]


def raw(count: int, topic: str) -> float:
    from eventbus.events.codec import structured_headers
    from eventbus.kafka.clients import producer

    sender = producer()
    messages = [(key.encode(), body.encode()) for key, body in bodies(count)]
    started = time.perf_counter()
    for key, body in messages:
        sender.send(topic, value=body, key=key, headers=structured_headers())
    sender.flush()
    return count / (time.perf_counter() - started)


def ours(count: int, topic: str) -> float:
    import uuid

    from eventbus.kafka.clients import producer
    from eventbus.outbox.models import OutboxEvent
    from eventbus.outbox.relaying.relay import Relay
    from eventbus.outbox.relaying.session import ActiveSession

    OutboxEvent.objects.all().delete()
    OutboxEvent.objects.bulk_create(
        OutboxEvent(
            id=uuid.uuid4(),
            aggregatetype="product",
            aggregateid=key,
            type="product.updated",
            topic=topic,
            payload=body,
        )
        for key, body in bodies(count)
    )
    database = ThreadPoolExecutor(1)
    relay = Relay(producer, database, threading.Event())
    relay._producer = producer()  # connects before the clock starts, as with the others
    session = database.submit(ActiveSession.begin).result()
    assert session is not None
    started = time.perf_counter()
    relay.relay_waiting(session)
    seconds = time.perf_counter() - started
    assert not OutboxEvent.objects.filter(published_at=None).exists()
    return count / seconds


def pattern(count: int, topic: str) -> float:
    from django_outbox_pattern.factories import factory_producer
    from django_outbox_pattern.models import Published

    from benchmarks.peers.sending import shared

    for key, body in bodies(count):
        Published(destination=topic, body=json.loads(body), headers={"key": key}).save()
    # Its own headers have no key, so one is added here, at no cost.
    Published.objects.update(headers={"key": "1"})
    shared()
    sender = factory_producer()
    started = time.perf_counter()
    sender.publish_message_from_database()
    seconds = time.perf_counter() - started
    assert not Published.objects.filter(status=1).exists()
    return count / seconds


def jaiminho(count: int, topic: str) -> float:
    from jaiminho.models import Event
    from jaiminho.relayer import EventRelayer

    from benchmarks.peers.sending import shared, tell

    for key, body in bodies(count):
        tell(topic, key, body)
    shared()
    started = time.perf_counter()
    EventRelayer().relay()
    shared().flush()
    seconds = time.perf_counter() - started
    assert not Event.objects.filter(sent_at=None).exists()
    return count / seconds


def check(topic: str, count: int) -> None:
    """Assert that Kafka has each event once, and those of a key in order."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bus_settings().kafka["bootstrap_servers"],
        auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    )
    last: dict[str, int] = {}
    found = 0
    for record in consumer:
        event = json.loads(record.value)
        assert event["sequence"] == last.get(event["subject"], 0) + 1
        last[event["subject"]] = event["sequence"]
        found += 1
        if found == count:
            break
    assert found == count, f"{found} of {count} events are in Kafka"
    consumer.close()


def main(way: str, count: int) -> None:
    import uuid

    import django

    django.setup()
    from eventbus.kafka.topics import create_topics

    ways: dict[str, Callable[[int, str], Any]] = {
        "raw": raw,
        "ours": ours,
        "pattern": pattern,
        "jaiminho": jaiminho,
    }
    topic = f"relay-{uuid.uuid4()}"
    create_topics([topic])
    rate = ways[way](count, topic)
    if way in ("raw", "ours"):
        check(topic, count)
    sys.stdout.write(f"{rate}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
