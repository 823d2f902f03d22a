from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from demo.broker import EmbeddedBroker
from tests.browser import browser, page
from tests.installing import wheel
from tests.receivers import Mailboxes
from tests.rig.kafka import KafkaCluster
from tests.rig.postgres import Postgres, PostgresDatabases
from tests.stack import (
    Broker,
    Databases,
    SqliteDatabases,
    Stack,
    free_port,
    running,
    stopping,
)

__all__ = ["browser", "page", "wheel"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real", action="store_true", help="run on Apache Kafka and PostgreSQL")
    parser.addoption("--screenshots", help="directory for the screenshots of the documentation")
    parser.addoption("--fault-table", help="Markdown file whose table of faults to rewrite")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: runs on Apache Kafka and PostgreSQL only")
    config.addinivalue_line("markers", "fault(number, name): what the test does to the system")
    config.addinivalue_line("markers", "real_too: runs on Apache Kafka and PostgreSQL as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ``--real``, all tests but the ``real`` ones; with it, those with either mark."""

    def is_wanted(item: pytest.Item) -> bool:
        real = item.get_closest_marker("real") is not None
        if config.option.real:
            return real or item.get_closest_marker("real_too") is not None
        return not real

    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = [item for item in items if is_wanted(item)]


@pytest.fixture(scope="session")
def real(request: pytest.FixtureRequest) -> bool:
    """Whether this run is on Apache Kafka and PostgreSQL."""
    return bool(request.config.option.real)


@pytest.fixture(scope="session")
def kafka(real: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a broker that runs for the whole session."""
    directory = tmp_path_factory.mktemp("kafka")
    broker: Broker = KafkaCluster(directory) if real else EmbeddedBroker(free_port())
    with running(broker):
        yield broker.server


@pytest.fixture(scope="session")
def product_postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of the product service."""
    yield from postgres_server()


@pytest.fixture(scope="session")
def consumer_postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of the two consuming services."""
    yield from postgres_server()


def postgres_server() -> Iterator[Postgres]:
    """A server in a directory that its user can enter, unlike pytest's own."""
    with TemporaryDirectory(prefix="postgres-") as home, running(Postgres(Path(home))) as server:
        yield server


@pytest.fixture(scope="session")
def databases(
    real: bool, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Databases:
    if not real:
        return SqliteDatabases(tmp_path_factory.mktemp("databases"))
    product = request.getfixturevalue("product_postgres")
    consumer = request.getfixturevalue("consumer_postgres")
    return PostgresDatabases({"product": product, "notification": consumer, "audit": consumer})


@pytest.fixture(scope="session")
def mailboxes() -> Iterator[Mailboxes]:
    """The mail server of the notification service."""
    with running(Mailboxes(free_port())) as server:
        yield server


@pytest.fixture(scope="session")
def stack(
    kafka: str,
    databases: Databases,
    mailboxes: Mailboxes,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """Everything running: three services, the relay, both workers, and the deliverer."""
    mail = {"EMAIL_URL": mailboxes.url, "WEBHOOK_ALLOW_PRIVATE": "on"}
    stack = Stack(tmp_path_factory.mktemp("stack"), databases, kafka, **mail)
    for started in stopping(stack):
        started.start_everything()
        yield started


@pytest.fixture
def own_kafka(real: bool, tmp_path: Path) -> Iterator[Broker]:
    """A separate broker for the test, not started yet."""
    broker: Broker = KafkaCluster(tmp_path / "kafka") if real else EmbeddedBroker(free_port())
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def bare_stack(own_kafka: Broker, databases: Databases, tmp_path: Path) -> Iterator[Stack]:
    """A separate stack for the test, with nothing running yet."""
    yield from stopping(Stack(tmp_path, databases, own_kafka.server))


@pytest.fixture
def small_stack(bare_stack: Stack, own_kafka: Broker) -> Stack:
    """A separate stack for the test: Kafka with its topic, and the pages of product and audit."""
    own_kafka.start()
    bare_stack.manage("product", "create_topics")
    for service in ("product", "audit"):
        bare_stack.serve(service)
    return bare_stack
