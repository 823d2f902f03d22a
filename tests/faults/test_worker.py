"""Workers die, hang, join and leave."""

from pathlib import Path

import pytest

from tests.faults.conftest import Settle
from tests.rig.experiment import Experiment
from tests.rig.postgres import Postgres
from tests.stack import Process, eventually, lines_with, trouble

pytestmark = pytest.mark.real

JOINS = 20
ASSIGNED = "partitions assigned"
HUNG_AFTER = "3s"


@pytest.mark.fault(2, "worker killed -9 inside its transaction")
def test_a_worker_killed_inside_its_transaction(experiment: Experiment, settle: Settle) -> None:
    worker = held_worker(experiment, HOLD_INSIDE=experiment.stack.directory / "held")
    assert experiment.ledger.stored() == 0
    with experiment.fault():
        worker.kill()
        experiment.start_worker()
    experiment.flow()
    settle(experiment)


@pytest.mark.fault(3, "worker killed -9 between database commit and offset commit")
def test_a_worker_killed_before_it_commits_its_offsets(
    experiment: Experiment, settle: Settle
) -> None:
    held = experiment.stack.directory / "held"
    worker = held_worker(experiment, HOLD_COMMITTED=held)
    assert experiment.ledger.stored() >= int(held.read_text())
    with experiment.fault():
        worker.kill()
        experiment.start_worker()
    experiment.flow()
    settle(experiment)


@pytest.mark.fault(8, f"rebalance storm: workers join and leave {JOINS} times")
def test_workers_that_come_and_go(experiment: Experiment, settle: Settle) -> None:
    """Each new worker joins while the others are busy; every third that leaves is killed."""
    experiment.start_relay()
    workers = [experiment.start_worker(), experiment.start_worker()]
    experiment.flow()
    with experiment.fault():
        for number in range(JOINS):
            workers.append(experiment.start_worker())
            eventually(lambda: lines_with(ASSIGNED, workers[-1].output))
            leaving = workers.pop(0)
            if number % 3 == 2:
                leaving.kill()
            else:
                assert leaving.stop() == 0
    experiment.flow()
    settle(experiment)


@pytest.mark.fault(9, "worker frozen inside its transaction, its partitions move, it wakes up")
def test_a_zombie_writes_nothing(
    experiment: Experiment, settle: Settle, consumer_postgres: Postgres
) -> None:
    """PostgreSQL terminates a session that is idle in its transaction.

    The roles in ``docker/postgres`` are configured so; here the timeout is 3 s instead of 60.
    """
    stack = experiment.stack
    name = stack.database_urls["audit"].rpartition("/")[2]
    setting = f"SET idle_in_transaction_session_timeout = '{HUNG_AFTER}'"
    consumer_postgres.execute(f"ALTER ROLE audit IN DATABASE {name} {setting}")
    held = stack.directory / "held"
    zombie = held_worker(experiment, HOLD_INSIDE=held)
    zombie.freeze()
    with experiment.fault():
        experiment.start_worker()
    experiment.flow()
    held.unlink()
    zombie.thaw()
    eventually(lambda: lines_with("idle-in-transaction", zombie.output))
    experiment.flow()
    settle(experiment)


def held_worker(experiment: Experiment, **hold: Path) -> Process:
    """A worker that pauses at the point given by ``hold``, under load."""
    [file] = hold.values()
    experiment.start_relay()
    experiment.write()
    worker = experiment.start_worker(**trouble(**hold))
    eventually(file.exists)
    return worker
