from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.broker import EmbeddedBroker
from tests.stack import SERVICES, SqliteDatabases, Stack, free_port, stopping


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """``host:port`` of a broker that runs as long as the tests do."""
    with EmbeddedBroker(free_port()) as broker:
        yield broker.server


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def stack(
    kafka: str, databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Everything runs: three services, the relay, both workers."""
    stack = Stack(tmp_path_factory.mktemp("stack"), databases, kafka)
    for running in stopping(stack):
        running.manage("product", "create_topics")
        for service in SERVICES:
            running.serve(service)
        running.start("product", "relay_events")
        for service in ("notification", "audit"):
            running.consume(service)
        yield running


@pytest.fixture
def own_kafka() -> Iterator[EmbeddedBroker]:
    """A broker of the test's own, not started yet."""
    broker = EmbeddedBroker(free_port())
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def bare_stack(
    own_kafka: EmbeddedBroker, databases: SqliteDatabases, tmp_path: Path
) -> Iterator[Stack]:
    """A stack of the test's own, of which nothing runs yet."""
    yield from stopping(Stack(tmp_path, databases, own_kafka.server))


@pytest.fixture
def small_stack(bare_stack: Stack, own_kafka: EmbeddedBroker) -> Stack:
    """A stack of the test's own: Kafka with its topic, and the pages of product and audit."""
    own_kafka.start()
    bare_stack.manage("product", "create_topics")
    for service in ("product", "audit"):
        bare_stack.serve(service)
    return bare_stack
