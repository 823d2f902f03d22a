"""The cost of an event within a request: POST through gunicorn, with several ways to publish.

One client posts at a steady rate, so that the time of a request is not dominated by load.
"""

import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import httpx
from rich.progress import track

from benchmarks.report import Goal, Report
from benchmarks.rig import Rig
from tests.rig.postgres import Postgres
from tests.stack import Process, Stack, eventually, free_port

A_SECOND = 25
WARM_UP = 20
FEW, MANY = 1, 5
NONE = "no events"
OURS = "outbox, subscribers: {}"
NO_KAFKA = "outbox, Kafka is down"
CALLS = "HTTP calls, subscribers: {}"


class Bench:
    """A stack, and the web processes of the alternatives."""

    def __init__(self, stack: Stack, postgres: Postgres, requests: int) -> None:
        self._stack = stack
        self._requests = requests
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
        options = [f"--bind=127.0.0.1:{port}", "--log-level=error", "--no-control-socket"]
        self._processes.append(Process([*words, *options], environment, log))
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _listens(url))
        return url

    def subscribers(self, number: int) -> str:
        """Start processes that store what they receive over HTTP.

        :returns: their addresses, comma-separated.
        """
        application = "benchmarks.applications:subscriber()"
        return ",".join(self.serve(application, DATABASE_URL=self._database) for _ in range(number))

    def post(self, url: str) -> float:
        """The median time of many requests at a steady rate, in seconds."""
        headers = {"Authorization": f"Token {self._token}"}
        times = []
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            begin = time.perf_counter()
            for number in range(WARM_UP + self._requests):
                time.sleep(max(0.0, begin + number / A_SECOND - time.perf_counter()))
                body = {"sku": uuid.uuid4().hex, "name": "Kettle", "price": "19.90"}
                started = time.perf_counter()
                client.post("/api/products/", json=body).raise_for_status()
                times.append(time.perf_counter() - started)
        return statistics.median(times[WARM_UP:])

    def stop(self) -> None:
        for process in self._processes:
            process.stop()


def _has_partitions(worker: Process) -> bool:
    return "partitions assigned" in worker.output


@contextmanager
def consumers(stack: Stack, number: int) -> Iterator[None]:
    """Workers of the audit service, each in its own group."""
    with stack.visit():
        for place in range(number):
            worker = stack.start("audit", "consume_events", f"--group=subscriber-{place}")
            eventually(partial(_has_partitions, worker))
        yield


def measure(rig: Rig) -> Report:
    rounds, requests = (1, 30) if rig.quick else (3, 100)
    stack = rig.stack()
    bench = Bench(stack, rig.postgres, requests)
    try:
        stack.manage("product", "create_topics")
        found = _take_turns(bench, stack, rounds)
    finally:
        bench.stop()
        stack.stop()
    report = Report("request", "ms", found)
    ours = [OURS.format(number) for number in (0, FEW, MANY)]
    report.goals = [
        Goal(f"{name} to no events", report.ratio(name, NONE), 1.08, at_most=True)
        for name in (*ours, NO_KAFKA)
    ]
    calls = CALLS.format(MANY)
    report.goals.append(Goal(f"{calls} to ours", report.ratio(calls, OURS.format(MANY)), 5))
    return report


def _take_turns(bench: Bench, stack: Stack, rounds: int) -> dict[str, list[float]]:
    """The median time of a request in each round, in milliseconds, by the way of publishing."""
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
        NONE: lambda: bench.post(silent),
        OURS.format(0): lambda: with_relay(0),
        OURS.format(FEW): lambda: with_relay(FEW),
        OURS.format(MANY): lambda: with_relay(MANY),
        NO_KAFKA: without_kafka,
        CALLS.format(FEW): lambda: bench.post(few),
        CALLS.format(MANY): lambda: bench.post(many),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for name in track([*ways] * rounds, description="Measuring"):
        found[name].append(1000 * ways[name]())
    return found


def _listens(url: str) -> bool:
    try:
        httpx.post(url, content=b"{}")
    except httpx.TransportError:
        return False
    return True
