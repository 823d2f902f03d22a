"""make demo, as a new user runs it: what it prints, and how it ends when something is wrong."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.broker import EmbeddedBroker
from tests.stack import ROOT, eventually, free_port

STOPS_WITHIN_SECONDS = 10


class Demo:
    """A demo on free ports, in a directory of its own."""

    def __init__(self, directory: Path, **variables: str) -> None:
        names = ("PRODUCT", "NOTIFICATION", "AUDIT", "RECEIVER", "KAFKA")
        ports = {f"{name}_PORT": str(free_port()) for name in names}
        self.environment = {**os.environ, "DEMO_DIR": str(directory), **ports, **variables}
        self._output = directory.parent / f"{directory.name}.log"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def until(self, text: str) -> None:
        """Wait until it printed a text; fail at once when it ends without."""
        eventually(lambda: text in self.output or self.process.poll() is not None, seconds=90)
        assert text in self.output, self.output

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'{service.upper()}_PORT']}"

    def left_over(self) -> list[str]:
        """The processes of this demo that still run, by their environment."""
        mark = f"DEMO_DIR={self.environment['DEMO_DIR']}".encode()
        return [f"{path.parent.name}" for path in processes() if mark in environment_of(path)]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=STOPS_WITHIN_SECONDS)


def processes() -> Iterator[Path]:
    return Path("/proc").glob("[0-9]*/environ")


def environment_of(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type[Demo]]:
    started: list[Demo] = []

    def start(**variables: str) -> Demo:
        demo = Demo(tmp_path / "demo", **variables)
        started.append(demo)
        return demo

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def last_line(demo: Demo) -> str:
    return demo.output.strip().splitlines()[-1]


def number_of_products(demo: Demo) -> int:
    return len(httpx.get(f"{demo.url('product')}/api/products/").json()["results"])


def lower_a_price(demo: Demo) -> None:
    url = f"{demo.url('product')}/api/products/"
    product = httpx.get(url).json()["results"][0]
    answer = httpx.patch(f"{url}{product['id']}/", json={"price": "1"}, auth=("admin", "admin"))
    answer.raise_for_status()


def test_the_demo_comes_up_with_products_and_stops_without_a_trace(start) -> None:
    demo = start()
    demo.until("Ctrl-C stops everything.")
    assert number_of_products(demo) == 20
    for service, path in [("notification", "/api/notifications/"), ("audit", "/api/events/")]:
        for login in [("admin", "admin"), ("viewer", "viewer")]:
            url = demo.url(service) + path
            eventually(lambda u=url, a=login: len(httpx.get(u, auth=a).json()["results"]) == 20)
    eventually(lambda: "Signed and new: 20." in httpx.get(demo.url("receiver")).text)
    lower_a_price(demo)
    eventually(lambda: "fell from" in httpx.get(demo.url("receiver")).text)
    forbidden = {"sku": "X", "name": "X", "price": "1"}
    answer = httpx.post(
        f"{demo.url('product')}/api/products/", json=forbidden, auth=("viewer", "viewer")
    )
    assert answer.status_code == 403
    assert demo.end(signal.SIGTERM) == 0
    assert demo.left_over() == []

    again = start()
    again.until("Ctrl-C stops everything.")
    assert number_of_products(again) == 20
    assert again.end(signal.SIGINT) == 0
    assert again.left_over() == []


def test_another_kafka_is_used_when_it_is_named(start, own_kafka: EmbeddedBroker) -> None:
    own_kafka.start()
    demo = start(KAFKA_BOOTSTRAP_SERVERS=own_kafka.server)
    demo.until("Ctrl-C stops everything.")
    assert f"broker       {own_kafka.server}" in demo.output
    assert "tansu" not in demo.output
    assert demo.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("name", ["PRODUCT", "NOTIFICATION", "AUDIT", "RECEIVER", "KAFKA"])
def test_a_busy_port_is_one_line(start, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start(**{f"{name}_PORT": str(port)})
        assert demo.process.wait(timeout=10) == 1
    assert demo.output == (f"make demo: port {port} is in use; set {name}_PORT to a free one\n")


def test_a_port_that_is_none_is_one_line(start) -> None:
    demo = start(AUDIT_PORT="eighty")
    assert demo.process.wait(timeout=10) == 1
    assert demo.output == "make demo: AUDIT_PORT must be a port number, not 'eighty'\n"


def test_a_dead_child_ends_the_demo_with_its_name(start) -> None:
    demo = start()
    demo.until("Ctrl-C stops everything.")
    command = re.compile(rb"manage\.py\0product\0relay_events")
    [relay] = [
        int(pid)
        for pid in demo.left_over()
        if command.search(Path(f"/proc/{pid}/cmdline").read_bytes())
    ]
    os.kill(relay, signal.SIGKILL)
    assert demo.process.wait(timeout=STOPS_WITHIN_SECONDS) == 1
    assert last_line(demo) == (
        "make demo: relay stopped (rc=-9), so all were stopped; its output is above."
    )
    assert demo.left_over() == []


def test_it_can_be_stopped_while_it_prepares(start) -> None:
    demo = start()
    demo.until("Preparing three databases")
    assert demo.end(signal.SIGTERM) == 130
    assert last_line(demo) == "make demo: stopped."
    assert demo.left_over() == []


def test_a_kafka_that_never_answers_is_one_line(start) -> None:
    demo = start(KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}")
    assert demo.process.wait(timeout=60) == 1
    assert "Kafka at 127.0.0.1" in last_line(demo)
    assert demo.left_over() == []
