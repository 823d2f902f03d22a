"""The cost of verifying and of viewing a record of a million entries.

A million events are recorded in six chains. Verifying them is compared with only hashing the same
bytes; then the pages are requested, and one byte of one entry is changed.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from rich.progress import track
from uuid_utils.compat import uuid7

from benchmarks.report import Goal, Report
from benchmarks.rig import Rig

BATCH = 5_000
PARTITIONS = 6
PRODUCTS = 20_000
ROUNDS = 3
PAGE_ROUNDS = 5
ALONE, VERIFY = "hashing alone, all entries", "verify, all entries"


def measure(rig: Rig) -> Report:
    entries = 50_000 if rig.quick else 1_000_000
    rig.prepare("audit")
    rig.set_up_django("audit", API_THROTTLE_ANON="")
    fill(entries)
    found = {} if rig.quick else pages()
    verified = verify(entries)
    report = Report("proof", "ms", {**verified, **found})
    alone, ours = report.median(ALONE), report.median(VERIFY)
    rate = 1000 * entries / ours
    report.goals = [Goal("entries/s verified to 200,000", rate / 200_000, 1)]
    report.notes = [
        f"{rate:,.0f} entries/s were verified, in {ours / alone:.1f} times the time of hashing.",
        change_one_byte(entries),
    ]
    return report


def fill(entries: int) -> None:
    """Record the entries like the handler, within the last 30 days."""
    from django.db import transaction

    from audit_service.audit.models import AuditEntry
    from audit_service.audit.record.chains import Chains
    from audit_service.audit.record.months import make_room
    from audit_service.audit.record.sealing import SEALED
    from eventbus.inbox import insert

    started = datetime.now(UTC) - timedelta(days=30)
    for first in track(range(0, entries, BATCH), description="Recording"):
        with transaction.atomic():
            now = started + timedelta(days=30) * (first / entries)
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


def verify(entries: int) -> dict[str, list[float]]:
    """The milliseconds of each variant in each round."""
    from audit_service.audit.models import AuditEntry
    from audit_service.audit.proof.verification import Verification
    from audit_service.audit.record.sealed import sealed

    kept = [bytes(32) + entry.bytes for entry in sealed(AuditEntry.objects.all())]

    def verify_all() -> None:
        chains = Verification(None, None, {}).run(lambda number: None)
        assert sum(chain.verified for chain in chains) == entries
        assert not any(chain.broken for chain in chains)

    def hash_alone() -> None:
        for one in kept:
            sha256(one).digest()

    ways: dict[str, Callable[[], None]] = {ALONE: hash_alone, VERIFY: verify_all}
    found: dict[str, list[float]] = {name: [] for name in ways}
    turns = [name for _ in range(ROUNDS) for name in ways]
    for name in track(turns, description="Measuring"):
        started = time.perf_counter()
        ways[name]()
        found[name].append(1000 * (time.perf_counter() - started))
    return found


def change_one_byte(entries: int) -> str:
    """Change one byte, bypassing the trigger as the owner can; return what ``verify`` reports."""
    from django.db import connection

    from audit_service.audit.models import AuditEntry
    from audit_service.audit.proof.verification import Verification

    entry = AuditEntry.objects.order_by("id")[entries * 2 // 3]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_append_only")
        cursor.execute(
            "UPDATE audit_auditentry SET value = set_byte(value, 200, 88) WHERE id = %s", [entry.pk]
        )
        cursor.execute("ALTER TABLE audit_auditentry ENABLE TRIGGER audit_append_only")
    chains = Verification(None, None, {}).run(lambda number: None)
    [broken] = [chain.broken for chain in chains if chain.broken]
    assert broken.entry_id == entry.pk
    return f"One byte was changed, and detected: {broken.how} at {broken.position:,}."


PAGES = {
    "explorer": "/",
    "explorer, of a type": "/?type=product.updated",
    "explorer, of an actor": "/?actor=editor-7",
    "explorer, of nobody": "/?actor=nobody",
    "explorer, 100,000 events back": "/?before=900000",
    "what is new": "/newer/?after=999990",
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
    """The milliseconds of each page, in a process that has served it once before."""
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
            found[name].append(1000 * (time.perf_counter() - started))
    return found
