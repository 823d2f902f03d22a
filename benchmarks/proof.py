"""What a record of a million entries costs to verify, and to look at.

``make bench-proof`` starts PostgreSQL, records a million events in six chains, verifies them beside
hashing the same bytes alone, asks for the pages, and changes one byte of one entry.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import django
import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table
from uuid_utils.compat import uuid7

from tests.rig.postgres import Postgres
from tests.stack import prepare, running

ENTRIES = 1_000_000
BATCH = 5_000
PARTITIONS = 6
PRODUCTS = 20_000
ROUNDS = 3
PAGE_ROUNDS = 5
CHANGED = 654_321


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        with running(Postgres(home, durable=True)) as postgres:
            postgres.create_databases()
            url = postgres.url("audit", role="audit")
            prepare("audit", url)
            os.environ |= {
                "DATABASE_URL": url,
                "DJANGO_SETTINGS_MODULE": "audit_service.settings",
                "SECRET_KEY": "for-the-benchmark",
                "API_THROTTLE_ANON": "",
            }
            django.setup()
            fill()
            found = measure()
            show(found)
            show_pages(pages())
            Console().print(change_one_byte())


def fill() -> None:
    """Record the entries as the handler does, in the last 30 days."""
    from django.db import transaction

    from audit_service.audit.chains import Chains
    from audit_service.audit.models import AuditEntry
    from audit_service.audit.months import make_room
    from audit_service.audit.sealing import SEALED
    from common.inbox import insert

    started = datetime.now(UTC) - timedelta(days=30)
    for first in track(range(0, ENTRIES, BATCH), description="Recording"):
        with transaction.atomic():
            now = started + timedelta(days=30) * (first / ENTRIES)
            make_room(now)
            chains = Chains(("product.events", p) for p in range(PARTITIONS))
            rows = []
            for row in events(first, now):
                rows.append((*row, *chains.add((row[3], row[0]), row)))
            insert(AuditEntry, (*SEALED, "position", "link"), rows)
            chains.save()
    analyze()


def events(first: int, now: datetime) -> Iterator[tuple[Any, ...]]:
    for number in range(first, first + BATCH):
        version, product = divmod(number, PRODUCTS)
        id_, subject = str(uuid7()), str(product)
        time_ = now + timedelta(milliseconds=number - first)
        actor = f"editor-{number % 40}"
        value = msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": id_,
                "source": "/product_service",
                "type": "product.updated",
                "subject": subject,
                "time": time_,
                "datacontenttype": "application/json",
                "partitionkey": subject,
                "sequence": version + 1,
                "correlationid": str(number // 3),
                "actor": actor,
                "data": {
                    "id": product,
                    "sku": f"SKU-{product}",
                    "name": f"Cast-iron pan number {product}",
                    "price": f"{19 + number % 3}.90",
                    "stock": number % 50,
                    "version": version + 1,
                    "previous": {"stock": (number - 1) % 50},
                },
            }
        )
        place = (product % PARTITIONS, number // PARTITIONS, now, "product.events")
        names = (id_, "/product_service", "product.updated", subject, version + 1, time_, actor)
        yield (*place, *names, str(number // 3), "", "[]", value)


def analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE audit_auditentry")


def measure() -> dict[str, list[float]]:
    """Seconds of each way in each round."""
    from audit_service.audit.models import AuditEntry
    from audit_service.audit.sealed import sealed
    from audit_service.audit.verification import Verification

    kept = [bytes(32) + entry.bytes for entry in sealed(AuditEntry.objects.all())]
    size = sum(map(len, kept)) / len(kept)
    Console().print(f"{len(kept):,} entries of {size:,.0f} sealed bytes on average")

    def verify() -> None:
        chains = Verification(None, None, {}).run(lambda number: None)
        assert sum(chain.verified for chain in chains) == ENTRIES
        assert not any(chain.broken for chain in chains)

    def hash_alone() -> None:
        for one in kept:
            sha256(one).digest()

    ways: dict[str, Callable[[], None]] = {"hashing alone": hash_alone, "verify": verify}
    found: dict[str, list[float]] = {name: [] for name in ways}
    turns = [name for _ in range(ROUNDS) for name in ways]
    for name in track(turns, description="Measuring"):
        started = time.perf_counter()
        ways[name]()
        found[name].append(time.perf_counter() - started)
    return found


def change_one_byte() -> str:
    """Change one byte of one value past the trigger, as the owner can; what is said of it."""
    from django.db import connection

    from audit_service.audit.models import AuditEntry
    from audit_service.audit.verification import Verification

    entry = AuditEntry.objects.order_by("id")[CHANGED]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_append_only")
        cursor.execute(
            "UPDATE audit_auditentry SET value = set_byte(value, 200, 88) WHERE id = %s", [entry.pk]
        )
        cursor.execute("ALTER TABLE audit_auditentry ENABLE TRIGGER audit_append_only")
    chains = Verification(None, None, {}).run(lambda number: None)
    [broken] = [chain.broken for chain in chains if chain.broken]
    assert broken.entry_id == entry.pk
    return f"One byte changed: {broken.how} at {broken.position:,}, entry {broken.entry_id}"


PAGES = {
    "explorer": "/",
    "explorer, of a type": "/?type=product.updated",
    "explorer, of an actor": "/?actor=editor-7",
    "explorer, of nobody": "/?actor=nobody",
    "explorer, 100,000 events back": "/?before=900000",
    "what is new": f"/newer/?after={ENTRIES - 10}",
    "rate of the last hour": "/rates/?window=hour",
    "rate of the last 30 days": "/rates/?window=month",
    "rate of the last 30 days, of an actor": "/rates/?window=month&actor=editor-7",
    "an event": "/events/654321/",
    "a timeline": "/subjects/product/777/",
    "a transaction": "/transactions/55555/",
    "API, newest": "/api/events/",
    "API, state at a time": "/api/subjects/product/777/state/",
}


def pages() -> dict[str, list[float]]:
    """Seconds that each page took, in a process that has answered it once before."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(is_superuser=True))
    found: dict[str, list[float]] = {}
    for name, url in PAGES.items():
        assert client.get(url).status_code == 200, url
        found[name] = []
        for _ in range(PAGE_ROUNDS):
            started = time.perf_counter()
            client.get(url)
            found[name].append(time.perf_counter() - started)
    return found


def show_pages(found: dict[str, list[float]]) -> None:
    table = Table("page", "ms, median", "highest")
    for name, seconds in found.items():
        table.add_row(
            name, f"{1000 * statistics.median(seconds):.0f}", f"{1000 * max(seconds):.0f}"
        )
    Console().print(table)


def show(found: dict[str, list[float]]) -> None:
    table = Table("way", "seconds", "entries/s", "times hashing alone")
    alone = statistics.median(found["hashing alone"])
    for name, seconds in found.items():
        median = statistics.median(seconds)
        table.add_row(name, f"{median:.2f}", f"{ENTRIES / median:,.0f}", f"{median / alone:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
