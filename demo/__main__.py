"""make demo: three services, Kafka, the relay and both workers, on one command."""

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from honcho.manager import Manager
from honcho.printer import Printer

from demo import broker

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = Path(os.environ.get("DEMO_DIR", ROOT / "var" / "demo")).resolve()
SERVICES = ("product", "notification", "audit")
CONSUMERS = ("notification", "audit")
OWN_KAFKA = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
HEALTHY_SECONDS = 90
DEFAULT_PORTS = {"product": 8001, "notification": 8002, "audit": 8003, "kafka": 19092}
PORTS: dict[str, int] = {}

TRY = """
Everything is up. Log in as admin / admin, or as viewer / viewer, who may only read.

  Products        {product}/admin/products/product/
                  {product}/api/products/
  Notifications   {notification}/
                  {notification}/api/notifications/
  Audit record    {audit}/admin/audit/auditentry/
                  {audit}/api/events/

Change the price of a product, and look at the notifications and the audit record.
Ctrl-C stops everything.
"""


class StartError(Exception):
    """The demo cannot start; the text says what to do."""


class Processes(Manager):
    """Honcho's manager, which can be stopped before every process has told its pid.

    It keeps honcho's own lines to itself, but for the first process that ended.

    :param when_started: runs in a thread of its own once every process has been started. Not
        before: honcho forks, and a fork copies what another thread has open at that moment.
    """

    stop_wanted = False
    first_to_end = ""

    def __init__(self, when_started: Callable[["Processes"], None]) -> None:
        super().__init__(Printer(sys.stdout))
        self._watcher = threading.Thread(target=when_started, args=(self,), daemon=True)

    def terminate(self) -> None:
        if self._all_started():
            super().terminate()
        else:
            self.stop_wanted = True

    def _system_print(self, data: str) -> None:
        name, _, told = data.strip().partition(" ")
        if told.startswith("stopped") and not self.first_to_end:
            self.first_to_end = f"{name} {told}"
        if not self._all_started():
            return
        if self.stop_wanted:
            self.stop_wanted = False
            super().terminate()
        elif self._watcher.ident is None:
            self._watcher.start()


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    try:
        PORTS.update(ports())
        refuse_busy_ports()
        environments = {service: environment(service) for service in SERVICES}
        for service in SERVICES:
            print(f"Preparing the {service} database ...", flush=True)
            run(["manage.py", service, "migrate", "--verbosity=0"], environments[service])
            run(["-m", "demo.seed"], environments[service])
    except StartError as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make demo: stopped.", file=sys.stderr)
        return 130
    failure: list[str] = []
    processes = Processes(lambda started: watch(started, environments["product"], failure))
    for name, (words, env) in commands(environments).items():
        processes.add_process(name, f"exec {shlex.join(words)}", env=env, cwd=str(ROOT))
    processes.loop()
    if failure:
        print(f"make demo: {failure[0]}", file=sys.stderr)
        return 1
    if processes.returncode in (130, 143):
        return 0
    ended = processes.first_to_end or "a process ended"
    print(f"make demo: {ended}, so all were stopped; its output is above.", file=sys.stderr)
    return 1


def interrupt(signum: int, frame: FrameType | None) -> None:
    """SIGTERM while preparing is as Ctrl-C; later honcho takes both."""
    raise KeyboardInterrupt


def ports() -> dict[str, int]:
    """The port of each service, and of Kafka where it is ours."""
    found = {}
    for name, default in DEFAULT_PORTS.items():
        variable = f"{name.upper()}_PORT"
        text = os.environ.get(variable, str(default))
        if not text.isdecimal() or not 0 < int(text) < 2**16:
            raise StartError(f"{variable} must be a port number, not {text!r}")
        found[name] = int(text)
    if len(set(found.values())) < len(found):
        raise StartError("two of the ports are the same")
    return found


def refuse_busy_ports() -> None:
    for name, port in PORTS.items():
        if name == "kafka" and OWN_KAFKA:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                variable = f"{name.upper()}_PORT"
                raise StartError(f"port {port} is in use; set {variable} to a free one") from None


def environment(service: str) -> dict[str, str]:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": f"{service}_service.settings",
        "DATABASE_URL": f"sqlite:///{DIRECTORY / service}.sqlite3",
        "KAFKA_BOOTSTRAP_SERVERS": OWN_KAFKA or f"127.0.0.1:{PORTS['kafka']}",
        "SECRET_KEY": secret_key(),
        "EVENT_SCHEMA_URL": f"http://localhost:{PORTS['product']}/api/events/schema/",
        "LOG_JSON": "0",
        "PYTHONUNBUFFERED": "1",
    }


def secret_key() -> str:
    """One key for all runs of this demo, so that a login outlives a restart."""
    path = DIRECTORY / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


def run(words: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise StartError(f"{' '.join(words)} failed: {' '.join(last)}")


def commands(
    environments: dict[str, dict[str, str]],
) -> dict[str, tuple[list[str], dict[str, str]]]:
    python = sys.executable
    all_commands: dict[str, tuple[list[str], dict[str, str]]] = {}
    if not OWN_KAFKA:
        all_commands["kafka"] = (
            broker.command(PORTS["kafka"]),
            {**os.environ, "RUST_LOG": "error"},
        )
    for service, env in environments.items():
        bind = f"--bind=127.0.0.1:{PORTS[service]}"
        gunicorn = [python, "-m", "gunicorn", f"{service}_service.wsgi", bind]
        options = ["--threads=4", "--graceful-timeout=3", "--log-level=warning"]
        all_commands[f"{service}-web"] = ([*gunicorn, *options], env)
    relay = [python, "manage.py", "product", "relay_events"]
    all_commands["relay"] = (relay, environments["product"])
    for service in CONSUMERS:
        worker = [python, "manage.py", service, "consume_events"]
        all_commands[f"{service}-worker"] = (worker, environments[service])
    return all_commands


def watch(processes: Processes, env: dict[str, str], failure: list[str]) -> None:
    """Create the topics, wait until all are healthy, and say what to try."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    try:
        while not OWN_KAFKA and not broker.answers(PORTS["kafka"]) and time.monotonic() < deadline:
            time.sleep(0.05)
        run(["manage.py", "product", "create_topics"], env)
        while unhealthy := [service for service in SERVICES if not healthy(service)]:
            if time.monotonic() > deadline:
                names = " and ".join(unhealthy)
                raise StartError(f"{names} not healthy after {HEALTHY_SECONDS} s; see above")
            time.sleep(0.2)
        urls = {service: f"http://localhost:{PORTS[service]}" for service in SERVICES}
        print(TRY.format(**urls), flush=True)
    except StartError as error:
        failure.append(str(error))
        processes.terminate()


def healthy(service: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[service]}/readyz", timeout=2) as page:
            state = json.load(page)
    except (OSError, urllib.error.URLError):
        return False
    return service not in CONSUMERS or any(w["partitions"] for w in state["workers"])


if __name__ == "__main__":
    sys.exit(main())
