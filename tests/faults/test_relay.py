"""The relay dies, or two relays send at once."""

import psycopg
import pytest

from tests.faults.conftest import Settle
from tests.rig.experiment import Experiment
from tests.rig.messages import message_count
from tests.stack import Process, eventually

pytestmark = pytest.mark.real

LOCK_THE_FIRST = """
SELECT position FROM eventbus_outbox_outboxevent
WHERE published_at IS NULL ORDER BY position LIMIT 1 FOR UPDATE
"""
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s
"""
ACTIVE = """
SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""


@pytest.mark.fault(1, "relay killed -9 in mid-batch")
def test_a_relay_killed_between_sending_and_marking(experiment: Experiment, settle: Settle) -> None:
    experiment.start_worker()
    experiment.write()
    kafka = experiment.stack.kafka
    with psycopg.connect(experiment.stack.database_urls["product"]) as holder:
        assert holder.execute(LOCK_THE_FIRST).fetchone()
        relay = start_relay(experiment, "doomed")
        eventually(lambda: message_count(kafka))
        relay.kill()
        # Unaware of the kill, its session would still mark the batch once the lock is free.
        holder.execute(END_SESSIONS, ["doomed"])
    assert experiment.ledger.waiting() >= message_count(kafka), "the batch was marked"
    with experiment.fault():
        experiment.start_relay()
    experiment.flow()
    settle(experiment)


@pytest.mark.fault(13, "two relays at once; the active one cut off, then killed")
def test_two_relays_at_once(experiment: Experiment, settle: Settle) -> None:
    """A relay that is cut off from its database still sends while the standby takes over."""
    url = experiment.stack.database_urls["product"]
    relays = {name: start_relay(experiment, name) for name in ("relay-0", "relay-1")}
    experiment.start_worker()
    experiment.flow()
    for _ in range(4):
        with experiment.fault(), psycopg.connect(url) as connection:
            pid, _ = active_relay(url)
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        experiment.flow()
    for number in range(2, 5):
        _, name = active_relay(url)
        with experiment.fault():
            relays[name].kill()
        experiment.flow()
        relays[f"relay-{number}"] = start_relay(experiment, f"relay-{number}")
    settle(experiment)


def start_relay(experiment: Experiment, name: str) -> Process:
    """Start a relay with this ``application_name`` in PostgreSQL."""
    return experiment.stack.start("product", "relay_events", PGAPPNAME=name)


def active_relay(url: str) -> tuple[int, str]:
    """The backend and the name of the relay that holds the lock."""
    with psycopg.connect(url, autocommit=True) as connection:
        [(pid, name), *_] = eventually(lambda: connection.execute(ACTIVE).fetchall())
        return pid, name
