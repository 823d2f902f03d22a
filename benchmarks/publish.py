"""What publishing costs: changing products with their events, beside the same without.

``make bench-publish`` starts PostgreSQL and takes turns, in one process and one database.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from unittest import mock

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.rig.postgres import Postgres
from tests.stack import prepare, running

PRODUCTS = 10_000
ROUNDS = 7
SAVES = 300


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        with running(Postgres(home, durable=True)) as postgres:
            postgres.create_databases()
            url = postgres.url("product", role="product")
            prepare("product", url)
            set_up_django(url)
            show(measure())


def set_up_django(url: str) -> None:
    import os

    import django

    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "product_service.settings"}
    django.setup()


def measure() -> dict[str, list[float]]:
    """Seconds of each way in each round; for ``save()`` the median of its round."""
    from django.db import models

    from common.outbox.models import OutboxEvent
    from product_service.products.models import Product

    def fill() -> None:
        Product.objects.bulk_create(
            Product(sku=f"S{n}", name=f"Cast-iron pan {n}", price=Decimal("19.90"), stock=n % 50)
            for n in range(PRODUCTS)
        )

    def plain_update(number: int) -> None:
        models.QuerySet(Product).update(stock=number)

    def told_update(number: int) -> None:
        Product.objects.update(stock=number)

    fill()
    silence = mock.patch.multiple("common.outbox", publish=quiet, publish_all=quiet)
    ways: dict[str, Callable[[int], float]] = {
        "update() of 10,000, Django's own": lambda n: seconds(lambda: plain_update(100 + 2 * n)),
        "update() of 10,000, with events": lambda n: seconds(lambda: told_update(101 + 2 * n)),
        "save(), without the outbox": lambda n: saves(n, silence),
        "save(), with the outbox": lambda n: saves(n, mock.MagicMock()),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    turns = [(number, name) for number in range(ROUNDS) for name in ways]
    for number, name in track(turns, description="Measuring"):
        OutboxEvent.objects.all().delete()
        found[name].append(ways[name](number))
    return found


def quiet(*_: object) -> None:
    """What publishing is without an outbox."""


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def saves(number: int, around: "mock.MagicMock | mock._patch[object]") -> float:
    """The median time of a save."""
    from product_service.products.models import Product

    with around:
        times = []
        for product in Product.objects.order_by("pk")[:SAVES]:
            product.stock = 10_000 + number * 2 + (product.stock % 2 == 0)
            times.append(seconds(product.save))
    return statistics.median(times)


def show(found: dict[str, list[float]]) -> None:
    table = Table("way", "ms (median)", "lowest", "highest", "ratio")
    medians = {name: statistics.median(times) for name, times in found.items()}
    pairs = list(found)
    for place, name in enumerate(pairs):
        times = [f"{1000 * t:,.2f}" for t in (medians[name], min(found[name]), max(found[name]))]
        ratio = f"{medians[name] / medians[pairs[place - 1]]:.2f}" if place % 2 else ""
        table.add_row(name, *times, ratio)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
