"""The effects of more workers, longer backlogs and larger tables.

Each run drains the backlog with ``consume_events --drain``.
"""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from rich.progress import track

from benchmarks.measurements.consume import DISORDERED, DOUBLED, TABLES
from benchmarks.report import Goal, Report
from benchmarks.rig import Rig

WORKERS = (1, 2, 4)
FILL = """
INSERT INTO audit_auditentry (event_id, source, type, subject, sequence, time, actor,
    correlation_id, causation_id, topic, partition, "offset", headers, value, recorded_at,
    position, link)
SELECT 'old-' || n, '/product_service', 'product.updated', (n % 20000)::text, n / 20000 + 1, now(),
    'editor-' || n % 40, (n / 3)::text, '', 'old.events', n % 6, n / 6, '[]', {value}, now(), n / 6,
    {link}
FROM generate_series(1, {rows}) AS n
"""
FILL_INBOX = """
INSERT INTO eventbus_inbox_inboxmessage (consumer, event_id, source, received_at)
SELECT 'audit_service', 'old-' || n, '/product_service', now() FROM generate_series(1, {rows}) AS n
"""
INDEXES = """
SELECT indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
FROM pg_index WHERE indrelid = 'audit_auditentry'::regclass AND NOT indisunique
"""
PACE = """
SELECT count(*), extract(epoch FROM max(recorded_at) - min(recorded_at))
FROM audit_auditentry WHERE topic = 'product.events'
"""


WRITTEN = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), (
    SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audit_auditentry')
) + pg_total_relation_size('eventbus_inbox_inboxmessage')
"""


def measure(rig: Rig) -> Report:
    rounds, waiting, rows = (1, 5_000, 50_000) if rig.quick else (2, 100_000, 10_000_000)
    many = 10 * waiting
    rig.prepare("audit")
    rig.fill(waiting)
    found: dict[str, list[float]] = {}
    for _ in track(range(rounds), description="Workers"):
        for workers in WORKERS:
            rig.postgres.execute(f"TRUNCATE {TABLES}", "audit")
            found.setdefault(_workers(workers), []).append(drain(rig, workers, waiting))
    one = _workers(1)
    long, full = f"1 worker, {many:,} wait", f"1 worker, {rows:,} rows in each table"
    rig.postgres.execute(f"TRUNCATE {TABLES}", "audit")
    rig.fill(many - waiting, waiting)
    before = Costs.now(rig)
    found[long] = [drain(rig, 1, many)]
    spent = Costs.now(rig).since(before)
    rig.postgres.execute(f"TRUNCATE {TABLES}", "audit")
    fill_tables(rig, rows)
    found[full] = [drain(rig, 1, 3 * waiting, f"--max-events={3 * waiting}")]
    report = Report("scale", "events/s", found)
    report.notes = [spent.of_each(many)]
    report.goals = [
        Goal("2 workers to 1", report.ratio(_workers(2), one), 1.6),
        Goal(f"{rows:,} rows in each table to none", report.ratio(full, long), 0.8),
    ]
    return report


@dataclass(frozen=True)
class Costs:
    """The resources used so far.

    :param worker: CPU seconds of all ended processes.
    :param postgres: CPU seconds of PostgreSQL; those of a connection count once it is closed.
    :param wal: bytes of its write-ahead log.
    :param stored: bytes of both tables and their indexes.
    """

    worker: float
    postgres: float
    wal: float
    stored: float

    @classmethod
    def now(cls, rig: Rig) -> "Costs":
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        with psycopg.connect(rig.postgres.url("audit")) as connection:
            wal, stored = connection.execute(WRITTEN).fetchone() or (0, 0)
        ticks = sum(map(int, Path(f"/proc/{rig.postgres.pid}/stat").read_text().split()[13:17]))
        postgres = ticks / os.sysconf("SC_CLK_TCK")
        return cls(ended.ru_utime + ended.ru_stime, postgres, float(wal), float(stored))

    def since(self, earlier: "Costs") -> "Costs":
        return Costs(
            self.worker - earlier.worker,
            self.postgres - earlier.postgres,
            self.wal - earlier.wal,
            self.stored - earlier.stored,
        )

    def of_each(self, events: int) -> str:
        """A sentence about the cost of one event."""
        worker, postgres = (1e6 * seconds / events for seconds in (self.worker, self.postgres))
        return (
            f"One event cost {worker:.0f} µs of the worker's CPU time and {postgres:.0f} µs of "
            f"PostgreSQL's, {self.wal / events:,.0f} bytes of WAL, and "
            f"{self.stored / events:,.0f} bytes of tables and indexes."
        )


def drain(rig: Rig, workers: int, events: int, *options: str) -> float:
    """Events per second of several worker processes, which must store each event once, in order.

    Measured from the first to the last recording, without starting and joining the group.
    """
    group = f"scale-{time.monotonic_ns()}"
    words = ["audit", "consume_events", "--drain", f"--group={group}", f"--concurrency={workers}"]
    process = rig.start([*words, *options], rig.environment("audit"))
    assert process.wait() == 0, (rig.home / "processes.log").read_text()[-2000:]
    with psycopg.connect(rig.postgres.url("audit")) as connection:
        stored, seconds = connection.execute(PACE).fetchone() or (0, 1)
        assert stored >= events, f"{stored} of {events} events are stored"
        for query in (DOUBLED, DISORDERED):
            assert connection.execute(query).fetchone() == (0,)
    return float(stored / seconds)


def fill_tables(rig: Rig, rows: int) -> None:
    """Insert rows into both tables, and build the indexes afterwards, which is faster."""
    with psycopg.connect(rig.postgres.url("audit"), autocommit=True) as connection:
        indexes = connection.execute(INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        value, link = "convert_to(repeat('x', 430), 'utf8')", "convert_to(repeat('y', 32), 'utf8')"
        connection.execute(FILL.format(value=value, link=link, rows=rows))
        connection.execute("SET maintenance_work_mem = '1GB'")
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute(FILL_INBOX.format(rows=rows))
        connection.execute("VACUUM ANALYZE audit_auditentry, eventbus_inbox_inboxmessage")


def _workers(number: int) -> str:
    return f"{number} worker" if number == 1 else f"{number} workers"
