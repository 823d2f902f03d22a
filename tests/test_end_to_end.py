"""The way of one event through real processes and a real broker."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from demo.broker import EmbeddedBroker

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0
LOGIN = ("admin", "admin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what: Callable[[], object], seconds: float = PATIENCE) -> object:
    """The first true answer; the test fails when none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    pytest.fail(f"nothing after {seconds:.0f} s")


class Stack:
    """Three services on SQLite and the embedded broker."""

    def __init__(self, directory: Path, kafka_port: int) -> None:
        self.directory = directory
        self.kafka = f"127.0.0.1:{kafka_port}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.urls: dict[str, str] = {}

    def environment(self, service: str) -> dict[str, str]:
        return {
            **os.environ,
            "SECRET_KEY": "for-tests-only",
            "DATABASE_URL": f"sqlite:///{self.directory / service}.sqlite3",
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "DJANGO_SUPERUSER_PASSWORD": "admin",
        }

    def manage(self, service: str, *words: str) -> None:
        """Run a command to its end."""
        command = [sys.executable, "manage.py", service, *words]
        environment = self.environment(service)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, service: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on."""
        command = [sys.executable, "manage.py", service, *words]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment(service))
        self.processes.append(process)
        return process

    def serve(self, service: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", f"{service}_service.wsgi", "--log-level=error"]
        process = subprocess.Popen(
            [*command, f"--bind=127.0.0.1:{port}", "--threads=4"],
            cwd=ROOT,
            env=self.environment(service),
        )
        self.processes.append(process)
        self.urls[service] = f"http://127.0.0.1:{port}"
        wait_for(lambda: self.answers(service))

    def answers(self, service: str) -> bool:
        try:
            return httpx.get(f"{self.urls[service]}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def rows(self, service: str, path: str) -> list[dict]:
        return httpx.get(self.urls[service] + path, auth=LOGIN).raise_for_status().json()["results"]

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=10)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    port = free_port()
    stack = Stack(tmp_path_factory.mktemp("stack"), port)
    with EmbeddedBroker(port):
        try:
            for service in ("product", "notification", "audit"):
                stack.manage(service, "migrate", "--verbosity=0")
                stack.manage(
                    service, "createsuperuser", "--noinput", "--username=admin", "--email=a@b.cd"
                )
                stack.serve(service)
            stack.manage("product", "create_topics")
            stack.manage("product", "create_topics")
            stack.start("product", "relay_events")
            stack.start("notification", "consume_events")
            stack.worker = stack.start("audit", "consume_events")
            for service in ("notification", "audit"):
                wait_for(lambda service=service: has_partitions(stack, service))
            yield stack
        finally:
            stack.stop()


def has_partitions(stack: Stack, service: str) -> bool:
    workers = httpx.get(f"{stack.urls[service]}/readyz").json()["workers"]
    return any(worker["partitions"] for worker in workers)


def create(stack: Stack, sku: str) -> dict:
    body = {"sku": sku, "name": f"Kettle {sku}", "price": "19.90", "stock": 3}
    answer = httpx.post(f"{stack.urls['product']}/api/products/", json=body, auth=LOGIN)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_new_product_is_recorded_and_told_within_three_seconds(stack: Stack) -> None:
    product = create(stack, "E2E-1")
    path = f"/api/events/?subject={product['id']}"
    [entry] = wait_for(lambda: stack.rows("audit", path), seconds=3)
    assert (entry["type"], entry["data"], entry["actor"]) == ("product.created", product, "admin")
    path = f"/api/notifications/?product_id={product['id']}"
    [notification] = wait_for(lambda: stack.rows("notification", path), seconds=3)
    assert "Kettle E2E-1 is new" in notification["text"]


def test_a_killed_worker_loses_and_doubles_nothing(stack: Stack) -> None:
    product = create(stack, "E2E-2")
    url = f"{stack.urls['product']}/api/products/{product['id']}/"
    path = f"/api/events/?subject={product['id']}&page_size=1000"
    with httpx.Client(auth=LOGIN) as client:
        for stock in range(100, 160):
            assert client.patch(url, json={"stock": stock}).status_code == 200
            if stock == 130:
                stack.worker.send_signal(signal.SIGKILL)
                stack.worker.wait()
                stack.worker = stack.start("audit", "consume_events")
    entries = wait_for(lambda: (rows := stack.rows("audit", path))[60:] and rows)
    assert [entry["sequence"] for entry in reversed(entries)] == list(range(1, 62))


HAMMER = """
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from product_service.products.models import Product

ids = [Product.objects.create(sku=f"H{n}", name=f"H{n}", price=1).pk for n in range(20)]

def change(number):
    for round in range(250):
        product = Product.objects.get(pk=ids[(round * 4 + number) % 20])
        product.name = f"{number}-{round}"
        product.save()
    connection.close()

with ThreadPoolExecutor(4) as pool:
    list(pool.map(change, range(4)))
"""


def test_a_thousand_updates_from_four_threads_arrive_in_order(stack: Stack) -> None:
    stack.manage("product", "shell", "--command", HAMMER)
    with sqlite3.connect(stack.directory / "audit.sqlite3") as audit:
        query = (
            "SELECT subject, sequence FROM audit_auditentry WHERE subject IN (SELECT subject "
            'FROM audit_auditentry WHERE instr(CAST(value AS TEXT), \'"sku":"H\')) ORDER BY id'
        )
        rows = wait_for(lambda: (found := audit.execute(query).fetchall())[1019:] and found)
    by_product: dict[str, list[int]] = {}
    for subject, sequence in rows:
        by_product.setdefault(subject, []).append(sequence)
    assert len(by_product) == 20
    for sequences in by_product.values():
        assert sequences == list(range(1, len(sequences) + 1))


def test_drain_leaves_when_caught_up(stack: Stack) -> None:
    stack.worker.terminate()
    assert stack.worker.wait(timeout=10) == 0
    product = create(stack, "E2E-3")
    stack.manage("audit", "consume_events", "--drain")
    wait_for(lambda: stack.rows("audit", f"/api/events/?subject={product['id']}"), seconds=3)


def test_without_a_service_the_services_are_listed() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "manage.py", "migrate"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "product|notification|audit" in done.stderr
    assert len(done.stderr.splitlines()) == 1
