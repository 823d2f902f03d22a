"""make demo, as run by a new user: its output, and how it ends when something is wrong."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest

from demo import leftovers
from demo.broker import EmbeddedBroker
from eventbus.running import lifeline
from tests.stack import ROOT, eventually, free_port

STOPS_WITHIN_SECONDS = 10
COMMAND = [sys.executable, "-m", "demo"]
IS_UP = "Ctrl-C stops everything."
TERMINAL = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
"""A terminal window with a command in it; killing it is like closing the window."""
SHELL = """(trap : HUP; "$0" -m demo; echo $? > "$HOME/../code") & wait"""
"""The shell of a terminal dies with it, and its commands get SIGHUP; a subshell records how the
demo ended."""


class Demo:
    """A demo on free ports, in its own directory, for a user with an empty home directory.

    :param command: the command that starts it.
    """

    def __init__(self, directory: Path, command: Sequence[str] = COMMAND, **variables: str) -> None:
        names = ("PRODUCT", "NOTIFICATION", "AUDIT", "RECEIVER", "KAFKA")
        self.ports = {f"{name}_PORT": str(free_port()) for name in names}
        self.outside = {
            name: directory.parent / name.lower() for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")
        }
        for path in self.outside.values():
            path.mkdir(exist_ok=True)
        ours = {name: str(path) for name, path in {**self.outside, "DEMO_DIR": directory}.items()}
        self.environment = {**os.environ, **ours, **self.ports, **variables}
        self._output = directory.parent / f"{directory.name}.log"
        with self._output.open("wb") as output:
            self.process = lifeline.start(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def until(self, text: str) -> None:
        """Wait until it prints a text; fail immediately if it ends without."""
        eventually(lambda: text in self.output or self.process.poll() is not None, seconds=90)
        assert text in self.output, self.output

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'{service.upper()}_PORT']}"

    def left_over(self) -> list[str]:
        """The processes of this demo that are still running, found by their environment."""
        mark = f"DEMO_DIR={self.environment['DEMO_DIR']}".encode()
        return [f"{path.parent.name}" for path in processes() if mark in environment_of(path)]

    def processes(self, words: str) -> list[int]:
        """The processes of this demo with these words in their command line."""
        return [pid for pid in map(int, self.left_over()) if words in command_of(pid)]

    def written_outside(self) -> list[Path]:
        """The files in the home directory and in the directories for temporary files."""
        return [found for path in self.outside.values() for found in path.rglob("*")]

    def is_gone(self) -> bool:
        """Whether no process is left, and every port is free."""
        return not self.left_over() and all(is_free(int(port)) for port in self.ports.values())

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


def command_of(pid: int) -> str:
    """The command line; empty for the watcher that every command has."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return ""
    return "" if str(lifeline.GUARD) in words else " ".join(words)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Demo] = []

    def start(command: Sequence[str] = COMMAND, **variables: str) -> Demo:
        demo = Demo(tmp_path / "demo", command, **variables)
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


def shows_twenty(url: str, login: tuple[str, str]) -> bool:
    return len(httpx.get(url, auth=login).json()["results"]) == 20


def lower_a_price(demo: Demo) -> None:
    url = f"{demo.url('product')}/api/products/"
    product = httpx.get(url).json()["results"][0]
    answer = httpx.patch(f"{url}{product['id']}/", json={"price": "1"}, auth=("admin", "admin"))
    answer.raise_for_status()


def test_the_demo_starts_with_products_and_stops_without_a_trace(start: Start) -> None:
    demo = start()
    demo.until(IS_UP)
    assert number_of_products(demo) == 20
    assert demo.written_outside() == []
    for service, path in [("notification", "/api/notifications/"), ("audit", "/api/events/")]:
        for login in [("admin", "admin"), ("viewer", "viewer")]:
            url = demo.url(service) + path
            eventually(partial(shows_twenty, url, login))
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
    again.until(IS_UP)
    assert number_of_products(again) == 20
    assert again.end(signal.SIGINT) == 0
    assert again.is_gone()
    assert again.written_outside() == []


def test_another_kafka_is_used_when_it_is_named(start: Start, own_kafka: EmbeddedBroker) -> None:
    own_kafka.start()
    demo = start(KAFKA_BOOTSTRAP_SERVERS=own_kafka.server)
    demo.until(IS_UP)
    assert f"broker       {own_kafka.server}" in demo.output
    assert "tansu" not in demo.output
    assert demo.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("name", ["PRODUCT", "NOTIFICATION", "AUDIT", "RECEIVER", "KAFKA"])
def test_a_busy_port_is_one_line(start: Start, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start(**{f"{name}_PORT": str(port)})
        assert demo.process.wait(timeout=10) == 1
    begins = f"make demo: port {port} is in use by process {os.getpid()} ({sys.orig_argv[0]}"
    assert demo.output.startswith(begins)
    assert demo.output.endswith(f"; set {name}_PORT to a free one\n")


def test_an_invalid_port_is_one_line(start: Start) -> None:
    demo = start(AUDIT_PORT="eighty")
    assert demo.process.wait(timeout=10) == 1
    assert demo.output == "make demo: AUDIT_PORT must be a port number, not 'eighty'\n"


def test_a_dead_child_ends_the_demo_with_its_name(start: Start) -> None:
    demo = start()
    demo.until(IS_UP)
    [relay] = demo.processes("manage.py product relay_events")
    os.kill(relay, signal.SIGKILL)
    assert demo.process.wait(timeout=STOPS_WITHIN_SECONDS) == 1
    assert last_line(demo) == (
        "make demo: relay stopped (rc=-9), so all were stopped; see its output above."
    )
    assert demo.left_over() == []


def test_it_can_be_stopped_while_it_prepares(start: Start) -> None:
    demo = start()
    demo.until("Preparing three databases")
    assert demo.end(signal.SIGTERM) == 130
    assert last_line(demo) == "make demo: stopped."
    assert demo.left_over() == []


def test_a_kafka_that_never_answers_is_one_line(start: Start) -> None:
    demo = start(KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}")
    assert demo.process.wait(timeout=60) == 1
    assert "Kafka at 127.0.0.1" in last_line(demo)
    assert demo.left_over() == []


def test_it_stops_when_its_terminal_closes(start: Start, tmp_path: Path) -> None:
    demo = start([*TERMINAL, "sh", "-c", SHELL, sys.executable])
    demo.until(IS_UP)
    assert len(demo.processes("gunicorn")) == 6
    demo.process.kill()
    eventually(demo.is_gone)
    assert (tmp_path / "code").read_text() == "0\n"


def test_it_stops_when_its_terminal_closes_while_it_prepares(start: Start, tmp_path: Path) -> None:
    demo = start([*TERMINAL, "sh", "-c", SHELL, sys.executable])
    demo.until("Preparing three databases")
    demo.process.kill()
    eventually(demo.is_gone)
    assert (tmp_path / "code").read_text() == "130\n"


def test_nothing_is_left_of_it_when_it_is_killed(start: Start) -> None:
    demo = start()
    demo.until(IS_UP)
    assert demo.process.pid in demo.processes("-m demo")
    demo.process.kill()
    demo.process.wait()
    eventually(demo.is_gone)


def test_nothing_is_left_of_it_when_it_is_killed_while_it_prepares(start: Start) -> None:
    demo = start()
    demo.until("Preparing three databases")
    demo.process.kill()
    demo.process.wait()
    eventually(demo.is_gone)


def test_it_stops_when_make_is_killed(start: Start) -> None:
    demo = start(["sh", "-c", '"$0" -m demo; exit', sys.executable], MAKELEVEL="1")
    demo.until(IS_UP)
    demo.process.kill()
    demo.process.wait()
    eventually(demo.is_gone)


def test_nothing_is_left_when_the_first_process_of_a_web_server_is_killed(start: Start) -> None:
    demo = start()
    demo.until(IS_UP)
    os.kill(min(demo.processes("gunicorn product_service")), signal.SIGKILL)
    assert demo.process.wait(timeout=STOPS_WITHIN_SECONDS) == 1
    assert "product-web stopped (rc=-9)" in last_line(demo)
    eventually(demo.is_gone)


def test_it_ends_when_its_output_is_closed(start: Start) -> None:
    demo = start(["sh", "-c", '"$0" -m demo | head -1', sys.executable])
    assert demo.process.wait() == 0
    eventually(demo.is_gone)
    assert demo.output.count("\n") == 2, demo.output
    assert last_line(demo) == "make demo: stopped."


def test_a_port_that_another_demo_has_is_one_line(start: Start, tmp_path: Path) -> None:
    demo = start()
    demo.until(IS_UP)
    second = Demo(tmp_path / "second", **demo.ports)
    assert second.process.wait(timeout=10) == 1
    assert second.output == (
        f"make demo: port {demo.ports['PRODUCT_PORT']} is in use by another demo, which "
        f"`kill {demo.process.pid}` stops; or set PRODUCT_PORT to a free one\n"
    )


def test_a_port_that_an_earlier_demo_has_left_busy_is_one_line(start: Start) -> None:
    """As when the watchers of its processes were killed too."""
    dead = lifeline.start(["true"])
    dead.wait()
    port = free_port()
    marked = {**os.environ, leftovers.MARK: str(dead.pid)}
    words = [sys.executable, "-m", "http.server", str(port), "--bind=127.0.0.1"]
    orphan = lifeline.start(words, env=marked, stderr=subprocess.DEVNULL)
    another = lifeline.start(["sleep", "600"], env=marked)
    try:
        eventually(lambda: not is_free(port))
        demo = start(PRODUCT_PORT=str(port))
        assert demo.process.wait(timeout=10) == 1
        kill = " ".join(["kill", *map(str, sorted([orphan.pid, another.pid]))])
        assert demo.output == (
            f"make demo: port {port} is in use by process {orphan.pid} ({' '.join(words)}), left "
            f"over from an earlier demo, all of which `{kill}` ends; "
            "or set PRODUCT_PORT to a free one\n"
        )
        assert lifeline.run(kill.split(), check=False).returncode == 0
        eventually(lambda: is_free(port))
    finally:
        for process in (orphan, another):
            process.kill()
            process.wait()
