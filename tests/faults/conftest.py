"""Each fault has a number and a name; what became of it is printed and put into a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from rich.console import Console
from rich.table import Table

from tests.rig.experiment import Experiment, Result
from tests.rig.report import COLUMNS, cells, write_table
from tests.stack import Broker, Databases, Stack, stopping

RESULTS = pytest.StashKey[list[Result]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = []


def pytest_terminal_summary(config: pytest.Config) -> None:
    results = sorted(config.stash[RESULTS], key=lambda result: result.number)
    if not results:
        return
    Console(width=130).print(table(results))
    if path := config.option.fault_table:
        write_table(Path(path), results)


def table(results: Sequence[Result]) -> Table:
    table = Table(*COLUMNS)
    for result in results:
        table.add_row(*cells(result))
    return table


class Settle(Protocol):
    """Ends an experiment: counts, prints, and asserts that the account is flawless."""

    def __call__(self, experiment: Experiment, parked: int = 0) -> None: ...


@pytest.fixture
def settle(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Settle:
    [number, fault] = request.node.get_closest_marker("fault").args

    def settle(experiment: Experiment, parked: int = 0) -> None:
        account = experiment.settle()
        result = Result(number, fault, account, experiment.recovery_seconds)
        pytestconfig.stash[RESULTS].append(result)
        Console(width=130).print(table([result]))
        assert account.flawless, account
        assert account.parked == parked

    return settle


@pytest.fixture
def experiment(own_kafka: Broker, databases: Databases, tmp_path: Path) -> Iterator[Experiment]:
    """A stack on a Kafka of its own, of which nothing else runs yet."""
    own_kafka.start()
    for stack in stopping(Stack(tmp_path, databases, own_kafka.server)):
        yield Experiment(stack)
