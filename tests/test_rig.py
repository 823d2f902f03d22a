"""A killed test run leaves nothing behind."""

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from demo.broker import EmbeddedBroker, answers
from eventbus.running import lifeline
from tests.rig.kafka import KafkaCluster
from tests.rig.postgres import Postgres, PostgresDatabases
from tests.stack import ROOT, SERVICES, Broker, Databases, SqliteDatabases, Stack, eventually
from tests.stack import free_port as some_port

STARTED = "from tests.test_rig import start_everything as start; import sys; start(*sys.argv[1:])"
MARK = "KILLED_RUN_OF_TESTS"


def start_everything(directory: str, kind: str) -> None:
    """Start everything that the fixtures of a session start, and wait."""
    home = Path(directory)
    if kind == "real":
        postgres = Postgres(home)
        postgres.start()
        databases: Databases = PostgresDatabases(dict.fromkeys(SERVICES, postgres))
        broker: Broker = KafkaCluster(home / "kafka")
        server = [postgres.url("postgres")]
    else:
        databases, broker, server = SqliteDatabases(home), EmbeddedBroker(some_port()), []
    broker.start()
    (home / "stack").mkdir()
    stack = Stack(home / "stack", databases, broker.server)
    stack.manage("product", "create_topics")
    stack.serve("product")
    stack.start("product", "relay_events")
    (home / "up").write_text(" ".join([broker.server, stack.urls["product"], *server]))
    time.sleep(600)


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def left_over() -> list[str]:
    mark = f"{MARK}={os.getpid()}".encode()
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if has(path, mark)]


def has(path: Path, mark: bytes) -> bool:
    try:
        return mark in path.read_bytes().split(b"\0")
    except OSError:
        return False


@pytest.mark.real_too
def test_nothing_is_left_of_a_run_that_is_killed(real: bool, home: Path) -> None:
    kind = "real" if real else "embedded"
    run = lifeline.start(
        [sys.executable, "-c", STARTED, home, kind],
        cwd=ROOT,
        env={**os.environ, MARK: str(os.getpid()), "SECRET_KEY": "for-tests-only"},
    )
    up = home / "up"
    eventually(lambda: run.poll() is not None or (up.exists() and up.read_text()), seconds=120)
    assert run.poll() is None
    ports = [int(port) for port in re.findall(r":(\d+)\b", up.read_text())]
    assert len(ports) == (3 if real else 2)
    assert all(answers(port) for port in ports)
    run.kill()
    run.wait()
    eventually(lambda: not left_over())
    assert not any(answers(port) for port in ports)
