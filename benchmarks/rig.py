"""The servers for the benchmarks: temporary PostgreSQL and Kafka."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.broker import EmbeddedBroker
from eventbus.running import lifeline
from tests.rig.kafka import JARS, KafkaCluster
from tests.rig.postgres import Postgres
from tests.stack import ROOT, Broker, Stack, free_port, prepare, running

TOPIC = "product.events"
COMMIT_TIMES = ("-c", "track_commit_timestamp=on", "-c", "max_wal_size=8GB")


@dataclass
class Rig:
    """Running servers, and ways to run code of a service against them.

    :param home: a working directory.
    :param quick: whether a smaller run is enough, to see whether it works.
    """

    home: Path
    postgres: Postgres
    kafka: str
    quick: bool

    def prepare(self, service: str) -> None:
        """Migrate the database of a service."""
        prepare(service, self.url(service))

    def url(self, service: str) -> str:
        return self.postgres.url(service, role=service)

    def environment(self, service: str, **variables: str) -> dict[str, str]:
        """The environment variables of a service's process."""
        return {
            **os.environ,
            "DATABASE_URL": self.url(service),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "DJANGO_SETTINGS_MODULE": f"{service}_service.settings",
            "SECRET_KEY": "for-benchmarks-only",
            "LOG_LEVEL": "WARNING",
            **variables,
        }

    def python(self, module: str, words: list[str], environment: dict[str, str]) -> str:
        """Run a module to completion.

        :returns: its output.
        """
        command = [sys.executable, "-m", module, *words]
        done = lifeline.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{module} {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return str(done.stdout)

    def start(self, words: list[str], environment: dict[str, str]) -> lifeline.Started:
        """Start a management command in the background."""
        command = [sys.executable, "manage.py", *words]
        log = (self.home / "processes.log").open("ab")
        return lifeline.start(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def fill(self, events: int, first: int = 0) -> None:
        """Publish events to the topic, numbered from ``first``."""
        self.python("benchmarks.fill", [str(events), str(first)], self.environment("audit"))

    def set_up_django(self, service: str, **variables: str) -> None:
        """Set up Django in this process for a service."""
        import django

        os.environ |= self.environment(service, **variables)
        django.setup()

    def stack(self) -> Stack:
        """All services, with the databases of this rig."""
        return Stack(self.home, self, self.kafka)

    def copy(self, service: str, directory: Path) -> str:
        """For the stack: the database of a service, migrated."""
        self.prepare(service)
        return self.url(service)


@contextmanager
def rig(*, quick: bool, embedded: bool) -> Iterator[Rig]:
    """Start the servers; PostgreSQL waits for the disk at each commit, which is its default.

    :param embedded: use the demo's broker instead of Apache Kafka.
    """
    if not embedded and not JARS.is_dir():
        sys.exit("Apache Kafka is missing: run make kafka, or use --embedded.")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        (home / "postgres").mkdir()
        broker: Broker = EmbeddedBroker(free_port()) if embedded else KafkaCluster(home / "kafka")
        server = Postgres(home / "postgres", durable=True, options=COMMIT_TIMES)
        with running(broker), running(server):
            server.create_databases()
            yield Rig(home, server, broker.server, quick)
