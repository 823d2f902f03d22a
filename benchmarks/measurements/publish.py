"""The cost of publishing: changing products with and without events.

All variants take turns, in one process and one database.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from decimal import Decimal
from typing import Any
from unittest import mock

import msgspec
from rich.progress import track

from benchmarks.report import Goal, Report
from benchmarks.rig import TOPIC, Rig
from eventbus.events.contract import Contract

BARE = "save() of Django alone"
NONE = "save(), no event"
OURS = "save(), with the outbox"
ASYNC = "save(), send() to Kafka and go on"
WAITING = "save(), send() to Kafka and wait"
PLAIN_UPDATE = "update() of 10,000, no events"
TOLD_UPDATE = "update() of 10,000, with the outbox"
UPDATED = 10_000


def measure(rig: Rig) -> Report:
    rig.prepare("product")
    rig.set_up_django("product")
    from django.db import connection, models
    from django.db.migrations.loader import MigrationLoader

    from eventbus.kafka.clients import producer
    from eventbus.kafka.topics import create_topics
    from eventbus.outbox.models import OutboxEvent
    from product_service.products.models import Product

    rounds, saves = (2, 50) if rig.quick else (7, 300)
    create_topics([TOPIC])
    sender = producer()
    Product.objects.bulk_create(
        Product(sku=f"S{n}", name=f"Cast-iron pan {n}", price=Decimal("19.90"), stock=n % 50)
        for n in range(UPDATED)
    )

    def send(event: Contract) -> Any:
        value, key = msgspec.json.encode(event), event.subject.encode()
        return sender.send(TOPIC, value=value, key=key, headers=[])

    # As migrations have it, without the managers and signals of the capture.
    bare: Any = MigrationLoader(connection).project_state().apps.get_model("products.Product")
    ways: dict[str, Callable[[int], float]] = {
        BARE: lambda n: _saves(n, saves, nullcontext(), bare),
        NONE: lambda n: _saves(n, saves, _publishing_by(lambda event: None)),
        OURS: lambda n: _saves(n, saves, nullcontext()),
        ASYNC: lambda n: _saves(n, saves, _publishing_by(send)),
        WAITING: lambda n: _saves(n, saves, _publishing_by(lambda e: send(e).get(10))),
        PLAIN_UPDATE: lambda n: _seconds(
            lambda: models.QuerySet(Product).update(stock=100 + 2 * n)
        ),
        TOLD_UPDATE: lambda n: _seconds(lambda: Product.objects.update(stock=101 + 2 * n)),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    turns = [(number, name) for number in range(rounds) for name in ways]
    for number, name in track(turns, description="Measuring"):
        OutboxEvent.objects.all().delete()
        found[name].append(1000 * ways[name](number))
        expected = {OURS: saves, TOLD_UPDATE: UPDATED}.get(name, 0)
        published = OutboxEvent.objects.count()
        assert published == expected, f"{name}: {published} events instead of {expected}"
    sender.close(timeout=5)
    report = Report("publish", "ms", found)
    report.goals = [
        Goal("save() with the outbox to none", report.ratio(OURS, NONE), 1.3, at_most=True),
        Goal("update() with the outbox to none", report.ratio(TOLD_UPDATE, PLAIN_UPDATE), 4, True),
    ]
    return report


def _publishing_by(publish: Callable[[Any], Any]) -> Any:
    def publish_all(events: Iterable[Contract], **_: Any) -> None:
        for event in events:
            publish(event)

    return mock.patch.multiple("eventbus.outbox", publish_all=publish_all)


def _saves(number: int, saves: int, around: Any, model: Any = None) -> float:
    """The median time of a save, in seconds."""
    from product_service.products.models import Product

    with around:
        times = []
        rows: Any = (model or Product).objects
        for product in rows.order_by("pk")[:saves]:
            product.stock = 10_000 + number * 2 + (product.stock % 2 == 0)
            times.append(_seconds(product.save))
    return statistics.median(times)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
