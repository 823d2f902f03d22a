"""Apache Kafka from its jars, configured like the container image."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from demo.broker import answers
from eventbus.running import lifeline
from tests.stack import ROOT, free_port

JARS = ROOT / "var" / "kafka" / "libs"
MOUNTED = ROOT / "docker" / "kafka"
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"
START_SECONDS = 60
# The tests start dozens of brokers, none of which lives long enough for the second compiler.
JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
JVM.append("-XX:-UsePerfData")  # it would write to /tmp, regardless of TMPDIR
THREE_BROKERS = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
}


class KafkaCluster:
    """One broker or three, on free loopback ports; their data survives restarts.

    :param directory: an empty directory for data and logs.
    :param brokers: 1 or 3. With three, each topic has three replicas, of which two must be in sync.
    :param sasl_ssl: further server properties for a listener that requires TLS and a login. It is
        at :attr:`sasl_ssl_server`, in addition to the one that requires neither.
    """

    def __init__(
        self, directory: Path, brokers: int = 1, sasl_ssl: Mapping[str, str] | None = None
    ) -> None:
        self._directory = directory
        self._ports = {node: free_port() for node in range(1, brokers + 1)}
        self._quorum_ports = {node: free_port() for node in self._ports}
        self._properties = {**(THREE_BROKERS if brokers == 3 else {}), **(sasl_ssl or {})}
        self._sasl_ssl_port = free_port() if sasl_ssl else None
        self._processes: dict[int, lifeline.Started] = {}

    @property
    def server(self) -> str:
        """For ``KAFKA_BOOTSTRAP_SERVERS``."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    @property
    def sasl_ssl_server(self) -> str:
        """The address of the listener that requires TLS and a login."""
        return f"127.0.0.1:{self._sasl_ssl_port}"

    def start(self) -> None:
        """Start every broker that is not running, and wait until they answer."""
        for node in self._ports.keys() - self._processes.keys():
            self._start(node)
        self._wait_until_up()

    def stop(self) -> None:
        """Kill every broker, like a power cut. Data on disk remains."""
        for node in list(self._processes):
            self.kill(node)

    def kill(self, node: int) -> None:
        """Kill one broker with SIGKILL."""
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def leader(self, topic: str, partition: int) -> int:
        """The node that leads a partition."""
        with closing(self._admin()) as admin:
            [description] = admin.describe_topics([topic])
        [leader] = [
            p["leader_id"] for p in description["partitions"] if p["partition_index"] == partition
        ]
        return int(leader)

    def _start(self, node: int) -> None:
        home = self._directory / str(node)
        if not home.exists():
            self._set_up(node, home)
        with (home / "log").open("ab") as log:
            self._processes[node] = lifeline.start(
                [*_java(), "kafka.Kafka", str(home / "server.properties")],
                cwd=home,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _set_up(self, node: int, home: Path) -> None:
        """Write the configuration and format the storage, with the image's own script."""
        home.mkdir(parents=True)
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in self._quorum_ports.items())
        addresses = f"PLAINTEXT://127.0.0.1:{self._ports[node]}"
        if self._sasl_ssl_port:
            addresses += f",SASL_SSL://{self.sasl_ssl_server}"
        properties = {
            "node.id": str(node),
            "controller.quorum.voters": voters,
            "listeners": f"{addresses},CONTROLLER://127.0.0.1:{self._quorum_ports[node]}",
            "advertised.listeners": addresses,
            "log.dirs": str(home / "data"),
            **self._properties,
        }
        variables = {_variable(name): value for name, value in properties.items()}
        directories = ["-D", str(home), "-M", str(MOUNTED), "-F", str(home)]
        done = lifeline.run(
            [*_java(), "kafka.docker.KafkaDockerWrapper", "setup", *directories],
            env={**os.environ, **variables, "CLUSTER_ID": CLUSTER_ID},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Kafka could not be set up:\n{done.stdout}{done.stderr}")

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._brokers_up() < len(self._processes):
            for node, process in self._processes.items():
                if process.poll() is not None:
                    log = (self._directory / str(node) / "log").read_text()
                    raise RuntimeError(f"Kafka ended during startup:\n{log[-2000:]}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not answer within {START_SECONDS} s")
            time.sleep(0.1)

    def _brokers_up(self) -> int:
        if not all(answers(self._ports[node]) for node in self._processes):
            return 0
        try:
            with closing(self._admin()) as admin:
                brokers = admin.describe_cluster()["brokers"]
                return sum(not broker["is_fenced"] for broker in brokers)
        except (KafkaError, OSError):
            return 0

    def _admin(self) -> KafkaAdminClient:
        servers = self.server.split(",")
        return KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=1_000)


def _java() -> Sequence[str]:
    if not JARS.exists() or shutil.which("java") is None:
        raise RuntimeError("Apache Kafka is missing: run `make kafka` (needs Java and Maven)")
    return ["java", *JVM, "-cp", f"{JARS}/*"]


def _variable(name: str) -> str:
    """The environment variable that the image turns into this server property."""
    return "KAFKA_" + name.upper().replace("_", "__").replace("-", "___").replace(".", "_")
