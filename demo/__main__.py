"""make demo: run three services, Kafka, the relay and both workers with one command."""

import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

from demo import broker, leftovers
from demo.errors import StartError, Stopped
from demo.processes import Processes, run_all
from demo.services import (
    CONSUMERS,
    DIRECTORY,
    MAILS,
    OWN_KAFKA,
    SERVICES,
    commands,
    environment,
    free_ports,
)
from eventbus.running import lifeline, terminal

HEALTHY_SECONDS = 90
STOPPED_BY_SIGNAL = {128 + signal.SIGINT, 128 + signal.SIGTERM}

TRY = """
Everything is up. Log in as admin / admin, or as viewer / viewer, who cannot change products.

  Products        {product}/admin/products/product/
                  {product}/api/products/
  Notifications   {notification}/
                  {notification}/subscriptions/
                  {notification}/api/notifications/
  Audit record    {audit}/
                  {audit}/api/events/
  Webhooks, mails {receiver}/
                  mails are files in {mails}

Change the price of a product, and look at the notifications, the receiver and the audit record.
Ctrl-C stops everything.
"""


def main() -> int:
    """Run the demo until it is stopped.

    :returns: the exit code: 0 if stopped by Ctrl-C, SIGTERM or the closing of the terminal, 130 if
        that happened during the preparation or if the output was closed, 1 on errors.
    """
    stop = stop_on_signals()
    os.environ[leftovers.MARK] = str(os.getpid())
    try:
        ports = free_ports()
        environments = {service: environment(service, ports) for service in SERVICES}
        print(f"Preparing three databases in {DIRECTORY} ...", flush=True)
        run_all(["-m", "demo.prepare"], list(environments.values()), stop)
        return serve(ports, environments, stop)
    except StartError as error:
        return fail(str(error))
    except Stopped:
        print("make demo: stopped.", file=sys.stderr)
        return 128 + signal.SIGINT


def stop_on_signals() -> threading.Event:
    """An event that is set to stop the demo: by a signal, a closed terminal, or the end of make."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # honcho replaces both handlers later
        signal.signal(number, lambda *_: stop.set())
    terminal.when_it_closes(lambda: signal.raise_signal(signal.SIGTERM))
    if "MAKELEVEL" in os.environ:
        lifeline.end_with_parent()
    return stop


def serve(
    ports: dict[str, int], environments: dict[str, dict[str, str]], stop: threading.Event
) -> int:
    """Run every process until one ends or all are stopped.

    :raises Stopped: if the output is closed.
    """
    failures: list[str] = []

    def watch(processes: Processes) -> None:
        try:
            wait_until_healthy(ports, environments["product"], stop)
            urls = {name: f"http://localhost:{port}" for name, port in ports.items()}
            print(TRY.format(**urls, mails=MAILS), flush=True)
        except StartError as error:
            failures.append(str(error))
            processes.terminate()
        except (Stopped, OSError):
            pass

    processes = Processes(when_started=watch)
    for name, (words, service) in commands(ports).items():
        env = environments[service] if service else {**os.environ, "RUST_LOG": "error"}
        processes.add(name, words, env)
    processes.loop()
    stop.set()
    processes.join_watcher()
    if failures:
        return fail(failures[0])
    if processes.returncode in STOPPED_BY_SIGNAL:
        return 0
    return fail(f"{processes.first_to_end}, so all were stopped; see its output above.")


def wait_until_healthy(ports: dict[str, int], env: dict[str, str], stop: threading.Event) -> None:
    """Create the topics, and wait until all services respond and all workers have partitions.

    :raises StartError: if that takes too long; names what is missing.
    :raises Stopped: if stopped before that.
    """
    deadline = time.monotonic() + HEALTHY_SECONDS
    while not OWN_KAFKA and not broker.answers(ports["kafka"]):
        pause(0.05, deadline, stop, "Kafka")
    run_all(["manage.py", "product", "create_topics"], [env], stop)
    token = env["DEMO_HEALTH_TOKEN"]
    while unhealthy := [s for s in SERVICES if not healthy(s, ports[s], token)]:
        pause(0.2, deadline, stop, " and ".join(unhealthy))


def pause(seconds: float, deadline: float, stop: threading.Event, what: str) -> None:
    if stop.wait(seconds):
        raise Stopped
    if time.monotonic() > deadline:
        raise StartError(f"{what} not healthy after {HEALTHY_SECONDS} s; see above")


def healthy(service: str, port: int, token: str) -> bool:
    """Whether the service can serve and, where it consumes, its worker has partitions.

    :param token: the token of a user who may see the workers.
    """
    login = {"Authorization": f"Token {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/readyz", headers=login)
    try:
        with urllib.request.urlopen(request, timeout=2) as page:
            state = json.load(page)
    except (OSError, urllib.error.URLError):
        return False
    return service not in CONSUMERS or any(worker["partitions"] for worker in state["workers"])


def fail(reason: str) -> int:
    print(f"make demo: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
