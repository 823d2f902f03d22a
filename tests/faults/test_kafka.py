"""Kafka is unavailable, completely or partially."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Settle
from tests.rig.experiment import Experiment
from tests.rig.kafka import KafkaCluster
from tests.rig.messages import TOPIC
from tests.stack import Broker, Databases, Stack, running, stopping

pytestmark = pytest.mark.real

AWAY_SECONDS = 60


@pytest.mark.fault(4, f"the only broker killed -9 and away for {AWAY_SECONDS} s")
def test_kafka_is_away_for_a_minute(
    experiment: Experiment, own_kafka: Broker, settle: Settle
) -> None:
    experiment.start_relay()
    experiment.start_worker()
    experiment.flow()
    with experiment.fault():
        own_kafka.stop()
        time.sleep(AWAY_SECONDS)  # the fault itself
        own_kafka.start()
    experiment.flow()
    settle(experiment)


@pytest.fixture
def three_brokers(tmp_path: Path) -> Iterator[KafkaCluster]:
    with running(KafkaCluster(tmp_path / "kafka", brokers=3)) as cluster:
        yield cluster


@pytest.mark.fault(5, "the leader of three brokers killed -9")
def test_a_leader_dies(
    three_brokers: KafkaCluster, databases: Databases, tmp_path: Path, settle: Settle
) -> None:
    """One after another, each broker dies, is missing for a while, and returns."""
    stack = Stack(tmp_path, databases, three_brokers.server, KAFKA_TOPIC_REPLICATION_FACTOR="3")
    for _ in stopping(stack):
        experiment = Experiment(stack)
        experiment.start_relay()
        experiment.start_worker()
        experiment.flow()
        for partition in range(3):
            leader = three_brokers.leader(TOPIC, partition)
            with experiment.fault():
                three_brokers.kill(leader)
            experiment.flow()
            three_brokers.start()
        experiment.flow()
        settle(experiment)
