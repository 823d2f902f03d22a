"""The cost of publishing by triggers: one table, with and without them.

All variants take turns, in one process and one database.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from rich.progress import track

from benchmarks.report import Goal, Report
from benchmarks.rig import Rig

NONE, COLUMN, COUNTED = "no event", "a version column", "counted by the outbox"
UPDATED = 10_000


def measure(rig: Rig) -> Report:
    rig.prepare("product")
    rig.set_up_django("product")
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader
    from django.utils import timezone

    from eventbus.capture import registry
    from eventbus.capture.trigger import installing
    from eventbus.capture.trigger.definition import definition_of
    from eventbus.outbox.models import OutboxEvent
    from product_service.products.events import ProductEvents

    # The model as migrations have it, without the signals and managers of the service.
    model: Any = MigrationLoader(connection).project_state().apps.get_model("products.Product")
    registry._publications[ProductEvents.model] = replace(ProductEvents, capture="trigger")
    column = definition_of(ProductEvents)
    variants = {NONE: None, COLUMN: column, COUNTED: replace(column, counter="", touched="")}
    model.objects.bulk_create(
        model(
            sku=f"S{n}",
            name=f"Cast-iron pan {n}",
            price=Decimal("19.90"),
            stock=n % 50,
            updated_at=timezone.now(),
        )
        for n in range(UPDATED)
    )

    def install(variant: str) -> None:
        definition = variants[variant]
        statements = installing.removal(column, connection)
        if definition is not None:
            statements = installing.installation(definition, connection)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    rounds, saves = (2, 50) if rig.quick else (7, 300)
    works: dict[str, tuple[Callable[[int], float], int]] = {
        "save()": (lambda n: _saves(model, n, saves), saves),
        "update() of 10,000": (lambda n: _update(model, n), UPDATED),
    }
    found: dict[str, list[float]] = {
        f"{work}, {variant}": [] for work in works for variant in variants
    }
    turns = [(number, variant) for number in range(rounds) for variant in variants]
    for turn, (_, variant) in enumerate(track(turns, description="Measuring")):
        install(variant)
        _saves(model, -turn, 10)  # which compiles the functions
        for work, (run, events) in works.items():
            OutboxEvent.objects.all().delete()
            found[f"{work}, {variant}"].append(1000 * run(turn))
            published = OutboxEvent.objects.count()
            assert published == (0 if variant == NONE else events), f"{published} events"
    report = Report("triggers", "ms", found)
    report.goals = [
        Goal(f"{work} with {variant} to none", _ratio(report, work, variant), most, at_most=True)
        for work, variant, most in (
            ("save()", COLUMN, 1.25),
            ("save()", COUNTED, 1.25),
            ("update() of 10,000", COLUMN, 3),
            ("update() of 10,000", COUNTED, 5),
        )
    ]
    return report


def _ratio(report: Report, work: str, variant: str) -> float:
    return report.ratio(f"{work}, {variant}", f"{work}, {NONE}")


def _saves(model: Any, turn: int, saves: int) -> float:
    """The median time of a save in seconds."""
    times = []
    for number, product in enumerate(model.objects.order_by("pk")[:saves]):
        product.stock = 100_000 + turn * 1_000 + number
        times.append(_seconds(product.save))
    return statistics.median(times)


def _update(model: Any, turn: int) -> float:
    return _seconds(lambda: model.objects.update(stock=1_000_000 + turn))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
