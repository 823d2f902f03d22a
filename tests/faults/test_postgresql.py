"""A database is unavailable, or its disk is full."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest

from eventbus.running import lifeline
from tests.faults.conftest import Settle
from tests.rig.experiment import Experiment
from tests.rig.postgres import Postgres, PostgresDatabases
from tests.stack import Broker, Databases, Stack, eventually, lines_with, running, stopping

pytestmark = pytest.mark.real

DOWN_SECONDS = 3
DISK_SIZE = "192m"


@pytest.mark.fault(6, "the consumer's PostgreSQL restarted in immediate mode")
def test_the_consumers_database_restarts(
    experiment: Experiment, consumer_postgres: Postgres, settle: Settle
) -> None:
    crash(experiment, consumer_postgres)
    settle(experiment)


@pytest.mark.fault(7, "the product service's PostgreSQL restarted in immediate mode")
def test_the_product_database_restarts(
    experiment: Experiment, product_postgres: Postgres, settle: Settle
) -> None:
    crash(experiment, product_postgres)
    settle(experiment)


def crash(experiment: Experiment, server: Postgres) -> None:
    experiment.start_relay()
    experiment.start_worker()
    experiment.flow()
    with experiment.fault():
        server.crash()
        time.sleep(DOWN_SECONDS)  # the fault itself
        server.start()
    experiment.flow()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A separate file system with little space; creating one needs root, as in CI."""
    disk = Path(mkdtemp(prefix="small-disk-"))
    lifeline.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", disk], check=True)
    yield disk
    lifeline.run(["umount", disk], check=True)
    disk.rmdir()


@pytest.fixture
def small_postgres(small_disk: Path) -> Iterator[Postgres]:
    """A server with its data on the small disk."""
    with running(Postgres(small_disk)) as server:
        yield server


class AuditElsewhere:
    """Databases with that of the audit service on a separate server."""

    def __init__(self, audit: Databases, others: Databases) -> None:
        self._audit = audit
        self._others = others

    def copy(self, service: str, directory: Path) -> str:
        databases = self._audit if service == "audit" else self._others
        return databases.copy(service, directory)


@pytest.fixture
def cramped_experiment(
    small_postgres: Postgres, databases: Databases, own_kafka: Broker, tmp_path: Path
) -> Iterator[Experiment]:
    """An experiment whose audit database has little space."""
    audit = PostgresDatabases({"audit": small_postgres})
    own_kafka.start()
    stack = Stack(tmp_path, AuditElsewhere(audit, databases), own_kafka.server)
    for _ in stopping(stack):
        yield Experiment(stack)


@pytest.mark.fault(14, "the consumer's disk full, then freed")
def test_the_consumers_disk_is_full(
    cramped_experiment: Experiment, small_postgres: Postgres, settle: Settle
) -> None:
    """PostgreSQL may exit when it cannot write its log; then it is restarted, as by systemd."""
    experiment = cramped_experiment
    experiment.start_relay()
    worker = experiment.start_worker()
    experiment.flow()
    with experiment.fault():
        ballast = small_postgres.directory / "ballast"
        fill(ballast)
        eventually(lambda: lines_with("waiting for the database", worker.output))
        experiment.write()
        ballast.unlink()
        if not small_postgres.running:
            small_postgres.start()
    experiment.flow()
    settle(experiment)


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
