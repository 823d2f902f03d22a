"""Whether a worker's memory stays flat, over a million events.

``make bench-memory`` starts Apache Kafka and PostgreSQL, fills a topic, lets one worker drain it,
and looks at the resident memory of its process as the events go by.
"""

import subprocess
import sys
import time
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.consume import python, servers
from tests.rig.postgres import Postgres
from tests.stack import ROOT

EVENTS = 1_000_000
LOOKS = 20
ALLOWED_GROWTH = 0.05


def main() -> None:
    with servers() as (postgres, environment):
        Console().print(f"Filling the topic with {EVENTS:,} events")
        python("benchmarks.fill", [str(EVENTS)], environment)
        command = [sys.executable, "manage.py", "consume_events", "--drain"]
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        looks = watch(worker, postgres)
        assert worker.wait() == 0
    show(looks)
    first, second = (
        max(memory for events, memory in looks if (events > EVENTS / 2) == is_late)
        for is_late in (False, True)
    )
    Console().print(f"Peak of the first half {first:.1f} MiB, of the second {second:.1f} MiB.")
    if second > first * (1 + ALLOWED_GROWTH):
        sys.exit("The worker's memory grew.")


def watch(worker: "subprocess.Popen[bytes]", postgres: Postgres) -> list[tuple[int, float]]:
    """Events so far, and resident memory in MiB, after each twentieth of them or more."""
    looks: list[tuple[int, float]] = []
    while worker.poll() is None:
        events = handled(postgres)
        if events - (looks[-1][0] if looks else 0) >= EVENTS // LOOKS:
            looks.append((events, resident_mib(worker.pid)))
        time.sleep(0.5)
    return looks


def handled(postgres: Postgres) -> int:
    """As the worker's last heartbeat says."""
    with psycopg.connect(postgres.url("audit")) as connection:
        [[events]] = connection.execute("SELECT coalesce(max(handled), 0) FROM inbox_worker")
    return int(events)


def resident_mib(pid: int) -> float:
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024


def show(looks: list[tuple[int, float]]) -> None:
    table = Table("events", "resident MiB", "")
    for events, memory in looks:
        table.add_row(f"{events:,}", f"{memory:.1f}", "█" * round(memory / 4))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
