"""What a request pays for its event: POST through gunicorn, in ways to tell five others of it.

``make bench-request`` starts Apache Kafka and PostgreSQL. One client posts at a steady pace, so
that the time of a request is its own and not that of a full machine.
"""

import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.rig.kafka import KafkaCluster
from tests.rig.postgres import Postgres, PostgresDatabases
from tests.stack import Process, Stack, eventually, free_port, running

ROUNDS = 5
REQUESTS = 200
A_SECOND = 25
WARM_UP = 20
FEW, MANY = 1, 5


class Bench:
    """A stack, and the web processes that the ways need."""

    def __init__(self, stack: Stack, postgres: Postgres) -> None:
        self._stack = stack
        self._database = postgres.url("product", role="product")
        self._processes: list[Process] = []
        self._token = stack.manage("product", "drf_create_token", "admin").split()[2]

    def serve(self, application: str, **variables: str) -> str:
        """Start gunicorn with an application.

        :returns: where it listens.
        """
        port = free_port()
        words = [sys.executable, "-m", "gunicorn", application, "--threads=4"]
        environment = {
            **os.environ,
            "DATABASE_URL": self._stack.database_urls["product"],
            "DJANGO_SETTINGS_MODULE": "product_service.settings",
            "SECRET_KEY": "for-benchmarks-only",
            "API_THROTTLE_ANON": "",
            **variables,
        }
        log = self._stack.directory / f"web-{port}.log"
        options = [f"--bind=127.0.0.1:{port}", "--log-level=error"]
        self._processes.append(Process([*words, *options], environment, log))
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _listens(url))
        return url

    def subscribers(self, number: int) -> str:
        """Start processes that keep what they are told over HTTP.

        :returns: where they listen, with commas between.
        """
        application = "benchmarks.applications:subscriber()"
        return ",".join(self.serve(application, DATABASE_URL=self._database) for _ in range(number))

    def post(self, url: str) -> float:
        """The median time of many requests at a steady pace, in seconds."""
        headers = {"Authorization": f"Token {self._token}"}
        times = []
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            begin = time.perf_counter()
            for number in range(WARM_UP + REQUESTS):
                time.sleep(max(0.0, begin + number / A_SECOND - time.perf_counter()))
                body = {"sku": uuid.uuid4().hex, "name": "Kettle", "price": "19.90"}
                started = time.perf_counter()
                client.post("/api/products/", json=body).raise_for_status()
                times.append(time.perf_counter() - started)
        return statistics.median(times[WARM_UP:])

    def stop(self) -> None:
        for process in self._processes:
            process.stop()


@contextmanager
def consumers(stack: Stack, number: int) -> Iterator[None]:
    """Workers of the audit service, each in a group of its own."""
    with stack.visit():
        for place in range(number):
            worker = stack.start("audit", "consume_events", f"--group=subscriber-{place}")
            eventually(lambda w=worker: "partitions assigned" in w.output)
        yield


def main() -> None:
    with ExitStack() as on_exit:
        home = Path(on_exit.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        home.chmod(0o755)
        (home / "postgres").mkdir()
        postgres = on_exit.enter_context(running(Postgres(home / "postgres", durable=True)))
        kafka = on_exit.enter_context(running(KafkaCluster(home / "kafka")))
        databases = PostgresDatabases(dict.fromkeys(("product", "notification", "audit"), postgres))
        stack = Stack(home, databases, kafka.server)
        on_exit.callback(stack.stop)
        bench = Bench(stack, postgres)
        on_exit.callback(bench.stop)
        stack.manage("product", "create_topics")
        show(measure(bench, stack))


def measure(bench: Bench, stack: Stack) -> dict[str, list[float]]:
    """The median time of a request in each round, by the way it tells."""
    silent = bench.serve("benchmarks.applications:silent()")
    ours = bench.serve("product_service.wsgi")
    few = bench.serve("benchmarks.applications:synchronous()", SUBSCRIBERS=bench.subscribers(FEW))
    many = bench.serve("benchmarks.applications:synchronous()", SUBSCRIBERS=bench.subscribers(MANY))

    def with_relay(number: int) -> float:
        with stack.visit(), consumers(stack, number):
            stack.start("product", "relay_events")
            return bench.post(ours)

    def without_kafka() -> float:
        with stack.visit():
            nowhere = f"127.0.0.1:{free_port()}"
            stack.start("product", "relay_events", KAFKA_BOOTSTRAP_SERVERS=nowhere)
            return bench.post(ours)

    ways: dict[str, Callable[[], float]] = {
        "no events": lambda: bench.post(silent),
        "outbox, no subscriber": lambda: with_relay(0),
        "outbox, 1 subscriber": lambda: with_relay(FEW),
        "outbox, 5 subscribers": lambda: with_relay(MANY),
        "outbox, Kafka is down": without_kafka,
        "HTTP calls to 1 subscriber": lambda: bench.post(few),
        "HTTP calls to 5 subscribers": lambda: bench.post(many),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for name in track([*ways] * ROUNDS, description="Measuring"):
        found[name].append(ways[name]())
    return found


def show(found: dict[str, list[float]]) -> None:
    table = Table("way", "ms (median)", "lowest", "highest", "ratio")
    base = statistics.median(next(iter(found.values())))
    for name, times in found.items():
        median = statistics.median(times)
        figures = [f"{1000 * seconds:.2f}" for seconds in (median, min(times), max(times))]
        table.add_row(name, *figures, f"{median / base:.2f}")
    Console(width=100).print(table)


def _listens(url: str) -> bool:
    try:
        httpx.post(url, content=b"{}")
    except httpx.TransportError:
        return False
    return True


if __name__ == "__main__":
    main()
