"""The three services as real processes, for the tests that cross them."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from eventbus.running import lifeline
from eventbus.testing.eventually import PATIENCE_SECONDS, eventually

__all__ = ["eventually"]

ROOT = Path(__file__).parent.parent
SERVICES = ("product", "notification", "audit")
USER = PASSWORD = "admin"
FOLLOW_EVERYTHING = """
from django.contrib.auth.models import User
from notification_service.notifications.models import Subscription

Subscription.objects.create(owner=User.objects.get())
"""
LISTENING_PORTS = range(12_000, 32_000)
"""Below those that systems give to outgoing connections, one of which could take a port first."""


def free_port() -> int:
    """A port that nobody listens on, drawn by lot: two runs of the tests hardly draw the same."""
    while True:
        port = random.choice(LISTENING_PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """A running command, and what it has printed so far."""

    def __init__(
        self,
        words: list[str],
        environment: dict[str, str],
        log: Path,
        *,
        directory: Path = ROOT,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._popen = lifeline.start(
                words, cwd=directory, env=environment, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """As the kernel does when memory runs out: at once, with no chance to tidy up."""
        self._popen.kill()
        self._popen.wait()

    def freeze(self) -> None:
        """Stop it as a paused machine stops: it does nothing, and its connections stay open."""
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._popen.send_signal(signal.SIGCONT)

    def stop(self, seconds: float = 10) -> int:
        """Ask it to stop, as Ctrl-C and systemd do, and wait for it.

        :returns: its exit code.
        """
        self._popen.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait until it ends by itself.

        :returns: its exit code.
        """
        return self._popen.wait(timeout=seconds)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None


class Broker(Protocol):
    """A Kafka of one test's own."""

    @property
    def server(self) -> str:
        """For ``KAFKA_BOOTSTRAP_SERVERS``."""

    def start(self) -> None:
        """Start it, and wait until it answers."""

    def stop(self) -> None:
        """Kill it. Its topics may or may not be there after the next start."""


class Startable(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


S = TypeVar("S", bound=Startable)


@contextmanager
def running(server: S) -> Iterator[S]:
    """A server for the length of a ``with`` block."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Databases(Protocol):
    """Where fresh databases come from."""

    def copy(self, service: str, directory: Path) -> str:
        """A fresh, migrated database with one superuser.

        :param directory: where to put it, if it is a file.
        :returns: its ``DATABASE_URL``.
        """


class SqliteDatabases:
    """Empty, migrated databases with one superuser, made once and copied for each stack."""

    def __init__(self, directory: Path) -> None:
        self._templates = directory
        for service in SERVICES:
            prepare(service, f"sqlite:///{self._file(service)}")

    def copy(self, service: str, directory: Path) -> str:
        copied = shutil.copy(self._file(service), directory / f"{service}.sqlite3")
        return f"sqlite:///{copied}"

    def _file(self, service: str) -> Path:
        return self._templates / f"{service}.sqlite3"


def prepare(service: str, url: str) -> None:
    """Migrate a new database, and create the superuser."""
    environment = {**os.environ, "DATABASE_URL": url}
    run(service, ["migrate", "--verbosity=0"], environment)
    user = ["--noinput", f"--username={USER}", "--email=admin@example.com"]
    password = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    run(service, ["createsuperuser", *user], {**environment, **password})
    if service == "notification":
        run(service, ["shell", "--command", FOLLOW_EVERYTHING], environment)


def run(service: str, words: list[str], environment: dict[str, str]) -> str:
    """Run a management command to completion.

    :returns: its output.
    """
    done = lifeline.run(
        [sys.executable, "manage.py", service, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


class Stack:
    """Services with their own databases and one Kafka; a test starts the parts that it needs.

    :param directory: an empty directory, for databases and logs.
    :param databases: the source of fresh databases.
    :param kafka: ``host:port`` of a broker, which need not be running yet.
    :param variables: additional environment variables of all processes.
    """

    def __init__(self, directory: Path, databases: Databases, kafka: str, **variables: str) -> None:
        self.directory = directory
        self.kafka = kafka
        self.urls: dict[str, str] = {}
        self._clients: dict[str, httpx.Client] = {}
        self._processes: list[Process] = []
        self.database_urls = {s: databases.copy(s, directory) for s in SERVICES}
        self._environments = {
            service: {
                **os.environ,
                "DATABASE_URL": self.database_urls[service],
                "KAFKA_BOOTSTRAP_SERVERS": kafka,
                "SECRET_KEY": "for-tests-only",
                "LOG_JSON": "off",
                **variables,
            }
            for service in SERVICES
        }

    def manage(self, service: str, *words: str) -> str:
        """Run a command to completion."""
        return run(service, list(words), self._environments[service])

    def environment(self, service: str) -> dict[str, str]:
        """The environment variables of a service's processes."""
        return dict(self._environments[service])

    def start(self, service: str, *words: str, **variables: str) -> Process:
        """Start a command in the background, with additional environment variables."""
        command = [sys.executable, "manage.py", service, *words]
        if "DJANGO_SETTINGS_MODULE" in variables:
            command.remove(service)
        return self._start(f"{service}-{words[0]}", command, service, variables)

    def start_everything(self) -> None:
        """Create the topic, and start the web servers, the relay, both workers and deliveries."""
        self.manage("product", "create_topics")
        for service in SERVICES:
            self.serve(service)
        self.start("product", "relay_events")
        for service in ("notification", "audit"):
            self.consume(service)
        self.start("notification", "deliver")

    def start_module(self, service: str, module: str) -> Process:
        """Start a Python module in the background, with the environment of a service."""
        settings = {"DJANGO_SETTINGS_MODULE": f"{service}_service.settings"}
        return self._start(module, [sys.executable, "-m", module], service, settings)

    def serve(self, service: str, *further: str) -> None:
        """Start the service under gunicorn, with additional options, and wait until it answers."""
        port = free_port()
        gunicorn = [sys.executable, "-m", "gunicorn", f"{service}_service.wsgi", "--threads=4"]
        options = [f"--bind=127.0.0.1:{port}", "--log-level=error", "--graceful-timeout=3"]
        options.append("--no-control-socket")  # it is shared, in the home directory
        self._start(f"{service}-web", [*gunicorn, *options, *further], service, {})
        self.urls[service] = f"http://127.0.0.1:{port}"
        eventually(lambda: self._answers(service))

    def consume(self, service: str) -> Process:
        """Start a worker, and wait until it has its partitions."""
        worker = self.start(service, "consume_events")
        eventually(lambda: self.reads(service))
        return worker

    def reads(self, service: str) -> bool:
        """Whether a worker of this service has partitions."""
        return any(worker["partitions"] for worker in self.ready(service)["workers"])

    def ready(self, service: str) -> dict[str, Any]:
        """The response of ``/readyz`` with details."""
        details: dict[str, Any] = self.client(service).get("/readyz").raise_for_status().json()
        return details

    def client(self, service: str) -> httpx.Client:
        """A client logged in as the superuser."""
        if service not in self._clients:
            # gunicorn closes connections that were idle for 2 s, possibly just as one is reused.
            limits = httpx.Limits(keepalive_expiry=1)
            client = httpx.Client(
                base_url=self.urls[service], follow_redirects=True, timeout=30, limits=limits
            )
            client.get("/admin/login/").raise_for_status()
            form = {"username": USER, "password": PASSWORD, "next": "/admin/"}
            cookie = f"{service}_csrftoken"
            token = {"csrfmiddlewaretoken": client.cookies[cookie]}
            client.post("/admin/login/", data={**form, **token}).raise_for_status()
            client.headers["X-CSRFToken"] = client.cookies[cookie]
            self._clients[service] = client
        return self._clients[service]

    def create_product(self, sku: str, **fields: Any) -> dict[str, Any]:
        """Create a product through the API.

        :returns: the API's response.
        """
        body = {"sku": sku, "name": f"Kettle {sku}", "price": "19.90", "stock": 3, **fields}
        answer = self.client("product").post("/api/products/", json=body)
        assert answer.status_code == 201, answer.text
        product: dict[str, Any] = answer.json()
        return product

    def change(self, product: dict[str, Any], **fields: Any) -> None:
        """Change a product through the API."""
        url = f"/api/products/{product['id']}/"
        self.client("product").patch(url, json=fields).raise_for_status()

    def rows(self, service: str, path: str, **query: Any) -> list[dict[str, Any]]:
        """All pages of a list of the API, oldest first."""
        client = self.client(service)
        url: str | None = str(httpx.URL(path, params={"page_size": 1000, **query}))
        rows: list[dict[str, Any]] = []
        while url:
            page = client.get(url).raise_for_status().json()
            rows += page["results"]
            url = page["next"]
        return rows[::-1]

    def recorded(self, product: dict[str, Any]) -> list[int]:
        """The sequence numbers of a product in the audit record, in order."""
        entries = self.rows("audit", "/api/events/", subject=product["id"])
        return [entry["sequence"] for entry in entries]

    def stop(self) -> None:
        for client in self._clients.values():
            client.close()
        _stop(self._processes)

    @contextmanager
    def visit(self) -> Iterator["Stack"]:
        """The stack for one of several tests; processes started in the block end with it."""
        before = len(self._processes)
        try:
            yield self
        finally:
            _stop(self._processes[before:])

    def _start(
        self, name: str, command: list[str], service: str, variables: dict[str, str]
    ) -> Process:
        environment = {**self._environments[service], **variables}
        log = self.directory / f"{name}-{len(self._processes)}.log"
        process = Process(command, environment, log)
        self._processes.append(process)
        return process

    def _answers(self, service: str) -> bool:
        try:
            answer = httpx.get(f"{self.urls[service]}/readyz").raise_for_status()
            return bool(answer.json()["status"] == "ok")
        except httpx.TransportError:
            return False


def _stop(processes: Iterable[Process]) -> None:
    for process in processes:
        if process.running:
            process.stop()


def trouble(**files: Path) -> dict[str, str]:
    """Variables that add the handlers of ``tests/trouble`` to the audit service."""
    named = {variable: str(path) for variable, path in files.items()}
    return {"DJANGO_SETTINGS_MODULE": "tests.trouble.settings", **named}


def lines_with(text: str, output: str) -> list[str]:
    """The lines of an output that contain a text, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    return [line for line in plain.splitlines() if text in line]


def stopping(stack: Stack) -> Iterator[Stack]:
    """The stack for the duration of a fixture."""
    try:
        yield stack
    finally:
        stack.stop()
