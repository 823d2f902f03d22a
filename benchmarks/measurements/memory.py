"""Whether the memory of worker and relay stays flat over a million events each.

The relay empties an outbox filled by an SQL statement, a worker drains the resulting topic, and the
resident memory of each process is sampled meanwhile.
"""

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from rich.console import Console

from benchmarks.report import Goal, Report
from benchmarks.rig import Rig
from eventbus.running import lifeline

LOOKS = 20
WARM_UP = 0.1
"""The share of events to process before memory is measured."""
ALLOWED_GROWTH = 1.05
WORKER, RELAY = "worker", "relay"
FILL = """
INSERT INTO eventbus_outbox_outboxevent
    (id, aggregatetype, aggregateid, type, topic, payload, created_at)
SELECT gen_random_uuid(), 'product', (n % 1000)::text, 'product.updated', 'product.events',
    json_build_object('specversion', '1.0', 'id', gen_random_uuid(), 'source', '/product_service',
        'type', 'product.updated', 'subject', (n % 1000)::text, 'sequence', n / 1000 + 1,
        'time', '2026-11-01T12:00:00Z', 'partitionkey', (n % 1000)::text, 'actor', 'admin',
        'data', json_build_object('name', 'Cast-iron pan number ' || n, 'price', '19.90'))::text,
    now()
FROM generate_series(0, {} - 1) AS n
"""


def measure(rig: Rig) -> Report:
    events = 400_000 if rig.quick else 1_000_000
    for service in ("product", "audit"):
        rig.prepare(service)
    relayed = "SELECT count(published_at) FROM eventbus_outbox_outboxevent"
    handled = "SELECT coalesce(max(handled), 0) FROM eventbus_inbox_workerstate"
    relay = rig.environment("product")
    rig.python("manage", ["product", "create_topics"], relay)
    Console().print(f"Filling the outbox with {events:,} events")
    with psycopg.connect(rig.postgres.url("product"), autocommit=True) as connection:
        connection.execute(FILL.format(events))
        connection.execute("VACUUM ANALYZE eventbus_outbox_outboxevent")
    process = rig.start(["product", "relay_events"], relay)
    looks = {RELAY: watch(process, events, lambda: _count(rig, "product", relayed))}
    process.terminate()
    assert process.wait() == 0
    process = rig.start(["audit", "consume_events", "--drain"], rig.environment("audit"))
    looks[WORKER] = watch(process, events, lambda: _count(rig, "audit", handled))
    assert process.wait() == 0
    assert _count(rig, "audit", "SELECT count(*) FROM audit_auditentry") == events
    report = Report("memory", "MiB", {name: [m for _, m in seen] for name, seen in looks.items()})
    report.lines = looks
    report.axes = ("events", "resident MiB")
    for name, seen in looks.items():
        warm = [memory for number, memory in seen if number >= WARM_UP * events]
        half = len(warm) // 2
        growth = max(warm[half:]) / max(warm[:half])
        what = f"{name}: peak of the second half to that of the first"
        report.goals.append(Goal(what, growth, ALLOWED_GROWTH, at_most=True))
    return report


def watch(
    process: lifeline.Started, events: int, done: Callable[[], int]
) -> list[tuple[float, float]]:
    """Events so far and resident memory in MiB, sampled at least every twentieth of the events."""
    looks: list[tuple[float, float]] = []
    while process.poll() is None:
        number = done()
        if number - (looks[-1][0] if looks else 0) >= events // LOOKS:
            looks.append((number, resident_mib(process.pid)))
        if number >= events:
            break
        time.sleep(0.2)
    return looks


def resident_mib(pid: int) -> float:
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024


def _count(rig: Rig, service: str, query: str) -> int:
    with psycopg.connect(rig.postgres.url(service)) as connection:
        [[number]] = connection.execute(query)
    return int(number)
