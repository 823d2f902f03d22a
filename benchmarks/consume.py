"""How fast events get from Kafka into PostgreSQL, beside other ways to do it.

``make bench`` starts Apache Kafka and PostgreSQL, fills a topic, and lets each contender take it
in, one after another, in several rounds. What counts is the ratio of the medians.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.rig.kafka import KafkaCluster
from tests.rig.postgres import Postgres
from tests.stack import ROOT, prepare, running

EVENTS = 20_000
SLOW_EVENTS = 2_000
"""For contenders that take one event at a time: the rate is the same, the wait is not."""
ROUNDS = 5
TABLES = "audit_auditentry, inbox_inboxmessage"
CONTENDERS = {
    "worker": EVENTS,
    "plain_loop": SLOW_EVENTS,
    "faststream_batch": EVENTS,
    "confluent_copy": EVENTS,
    "worker_with_one_event_handler": SLOW_EVENTS,
    "faststream_each": SLOW_EVENTS,
}
RATIOS = [
    ("worker", "plain_loop", 60),
    ("worker", "faststream_batch", 3.5),
    ("worker", "confluent_copy", 0.6),
    ("worker_with_one_event_handler", "faststream_each", 5),
]


def main() -> None:
    with servers() as (postgres, environment):
        python("benchmarks.fill", [str(EVENTS)], environment)
        show(run_rounds(postgres, environment))


@contextmanager
def servers() -> Iterator[tuple[Postgres, dict[str, str]]]:
    """Kafka and PostgreSQL with the audit service's database, and the environment for it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        (home / "postgres").mkdir()
        with (
            running(KafkaCluster(home / "kafka")) as kafka,
            running(Postgres(home / "postgres", durable=True)) as postgres,
        ):
            postgres.create_databases()
            url = postgres.url("audit", role="audit")
            prepare("audit", url)
            yield (
                postgres,
                {
                    **os.environ,
                    "DATABASE_URL": url,
                    "KAFKA_BOOTSTRAP_SERVERS": kafka.server,
                    "DJANGO_SETTINGS_MODULE": "audit_service.settings",
                    "SECRET_KEY": "for-benchmarks-only",
                    "LOG_LEVEL": "WARNING",
                },
            )


def run_rounds(postgres: Postgres, environment: dict[str, str]) -> dict[str, list[float]]:
    """Events a second of each contender in each round."""
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    turns = [contender for _ in range(ROUNDS) for contender in CONTENDERS.items()]
    for name, events in track(turns, description="Measuring"):
        postgres.execute(f"TRUNCATE {TABLES}", "audit")
        output = python("benchmarks.contenders", [name, str(events)], environment)
        rates[name].append(float(output.split()[-1]))
        check(postgres, events)
    return rates


def check(postgres: Postgres, events: int) -> None:
    """Every contender must have stored what it says."""
    with psycopg.connect(postgres.url("audit")) as connection:
        for table in ("audit_auditentry", "inbox_inboxmessage"):
            [stored] = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or [0]
            assert stored >= events, f"{table} holds {stored} rows instead of {events}"


def python(module: str, words: list[str], environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{module} {' '.join(words)} failed:\n{done.stderr}")
    return done.stdout


def show(rates: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(found) for name, found in rates.items()}
    table = Table("contender", "events/s (median)", "lowest", "highest")
    for name, found in rates.items():
        table.add_row(name, *(f"{rate:,.0f}" for rate in (medians[name], min(found), max(found))))
    goals = Table("ratio", "is", "goal")
    for ours, other, goal in RATIOS:
        ratio = medians[ours] / medians[other]
        goals.add_row(f"{ours} / {other}", f"{ratio:.2f}", f"{goal}")
    console = Console(width=100)
    console.print(table)
    console.print(goals)


if __name__ == "__main__":
    main()
