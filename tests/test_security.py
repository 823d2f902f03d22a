"""TLS and SASL/SCRAM with a broker that requires both, configured by environment variables."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.rig.kafka import KafkaCluster
from tests.rig.security import MECHANISM, add_user, listener
from tests.stack import Databases, Process, Stack, eventually, lines_with, running, stopping

pytestmark = pytest.mark.real

USER = "shop"
PASSWORD = "correct-horse"
LASTING = [("product", "relay_events"), ("audit", "consume_events")]
COMMANDS = [*LASTING, ("product", "create_topics")]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded_kafka(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaCluster]:
    directory = tmp_path_factory.mktemp("guarded")
    kafka = KafkaCluster(directory / "kafka", sasl_ssl=listener(authority, directory))
    with running(kafka) as cluster:
        add_user(cluster.server, USER, PASSWORD)
        yield cluster


@pytest.fixture
def guarded_stack(
    guarded_kafka: KafkaCluster, authority: trustme.CA, databases: Databases, tmp_path: Path
) -> Iterator[Stack]:
    """A stack whose processes have the required credentials."""
    variables = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": MECHANISM,
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": PASSWORD,
        "KAFKA_SSL_CAFILE": write_certificate(authority, tmp_path / "ca.pem"),
    }
    yield from stopping(Stack(tmp_path, databases, guarded_kafka.sasl_ssl_server, **variables))


def write_certificate(ca: trustme.CA, path: Path) -> str:
    ca.cert_pem.write_to_path(path)
    return str(path)


def test_with_the_right_password_an_event_arrives(guarded_stack: Stack) -> None:
    stack = guarded_stack
    stack.manage("product", "create_topics")
    for service in ("product", "audit"):
        stack.serve(service)
    stack.start("product", "relay_events")
    stack.start("audit", "consume_events")
    product = stack.create_product("TLS-1")
    eventually(lambda: stack.recorded(product) == [1])


@pytest.mark.parametrize(("service", "command"), LASTING)
def test_a_wrong_password_ends_a_process(guarded_stack: Stack, service: str, command: str) -> None:
    process = guarded_stack.start(service, command, KAFKA_SASL_PASSWORD="wrong-horse")
    assert_the_password_is_named(refusal(process), process)


def test_a_wrong_password_ends_a_one_off_command(guarded_stack: Stack) -> None:
    """If the connection closed before it read the response, it can only suspect the reason."""
    process = guarded_stack.start("product", "create_topics", KAFKA_SASL_PASSWORD="wrong-horse")
    assert process.wait() in {1, 2}, process.output
    assert_the_password_is_named(lines_with("CommandError:", process.output), process)


def assert_the_password_is_named(lines: list[str], process: Process) -> None:
    [line] = lines
    assert "KAFKA_SASL_PASSWORD" in line
    assert "horse" not in process.output
    assert "Traceback" not in process.output


@pytest.mark.parametrize(("service", "command"), COMMANDS)
def test_a_certificate_of_another_authority_is_refused(
    guarded_stack: Stack, tmp_path: Path, service: str, command: str
) -> None:
    other = write_certificate(trustme.CA(), tmp_path / "other.pem")
    process = guarded_stack.start(service, command, KAFKA_SSL_CAFILE=other)
    [line] = refusal(process)
    assert "certificate" in line
    assert "KAFKA_SSL_CAFILE" in line


def refusal(process: Process) -> list[str]:
    """The output of a command that ends because it cannot connect to Kafka."""
    assert process.wait() == 2, process.output
    return lines_with("CommandError:", process.output)
