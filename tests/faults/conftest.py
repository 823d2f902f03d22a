"""Each fault has a number and a name; its result is printed and entered into a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from rich.console import Console
from rich.table import Table

from tests.rig.experiment import Experiment, Result
from tests.rig.report import COLUMNS, cells, write_table
from tests.stack import Broker, Databases, Stack, stopping

ROW = "fault"
"""The property of a test report that holds a row of the table."""


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(FaultTable(config.option.fault_table))


class FaultTable:
    """Collects the rows from the test reports, which may come from other processes."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._rows: dict[int, Sequence[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, row in report.user_properties:
            if name == ROW and isinstance(row, list):
                self._rows[int(row[0])] = row

    def pytest_terminal_summary(self) -> None:
        rows = [row for _, row in sorted(self._rows.items())]
        if rows:
            Console(width=130).print(table(rows))
        if rows and self._path:
            write_table(Path(self._path), rows)


def table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*row)
    return table


class Settle(Protocol):
    """Ends an experiment: counts events, prints the result, and asserts that it is flawless."""

    def __call__(self, experiment: Experiment, parked: int = 0) -> None: ...


@pytest.fixture
def settle(request: pytest.FixtureRequest) -> Settle:
    [number, fault] = request.node.get_closest_marker("fault").args

    def settle(experiment: Experiment, parked: int = 0) -> None:
        account = experiment.settle()
        row = cells(Result(number, fault, account, experiment.recovery_seconds))
        request.node.user_properties.append((ROW, row))
        Console(width=130).print(table([row]))
        assert account.flawless, account
        assert account.parked == parked

    return settle


@pytest.fixture
def experiment(own_kafka: Broker, databases: Databases, tmp_path: Path) -> Iterator[Experiment]:
    """A stack with its own Kafka and nothing else running yet."""
    own_kafka.start()
    for stack in stopping(Stack(tmp_path, databases, own_kafka.server)):
        yield Experiment(stack)
