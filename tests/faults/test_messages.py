"""Bad messages on the topic: poison, garbage, and reordered duplicates."""

import json
import random

import pytest

from tests.faults.conftest import Settle
from tests.rig.experiment import Experiment
from tests.rig.messages import TOPIC, hostile_producer, messages
from tests.stack import eventually, trouble

pytestmark = pytest.mark.real

ROUNDS = 3
PARTITIONS = 6


@pytest.mark.fault(10, "a poison event: its key waits, all others continue")
def test_a_poison_event_holds_its_own_product_only(experiment: Experiment, settle: Settle) -> None:
    stack = experiment.stack
    poison = stack.directory / "poison"
    poison.touch()
    stack.serve("product")
    experiment.start_relay()
    experiment.start_worker(**trouble(POISON=poison))
    product = stack.create_product("POISON-1")
    experiment.flow()
    with experiment.fault():
        stack.change(product, description="poison")
        for stock in range(10, 15):
            stack.change(product, stock=stock)
        eventually(lambda: experiment.ledger.parked() >= 6)
        experiment.flow()
        assert experiment.ledger.entries()[str(product["id"])] == [1]
        poison.unlink()
        eventually(lambda: experiment.ledger.parked() == 0)
    assert experiment.ledger.entries()[str(product["id"])] == [1, 2, 3, 4, 5, 6, 7]
    settle(experiment)


@pytest.mark.fault(11, "garbage on the topic")
def test_garbage_is_parked_and_the_rest_goes_on(experiment: Experiment, settle: Settle) -> None:
    experiment.start_relay()
    experiment.start_worker()
    experiment.flow()
    bad = list(garbage())
    with experiment.fault(), hostile_producer(experiment.stack.kafka) as producer:
        for key, value in bad:
            producer.send(TOPIC, value, key=key).get(timeout=10)
    eventually(lambda: experiment.ledger.parked() >= len(bad))
    experiment.flow()
    settle(experiment, parked=len(bad))


def garbage() -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values of messages that are not events."""
    chance = random.Random(11)
    event = {"specversion": "1.0", "id": "1", "source": "/hostile", "type": "product.updated"}
    wrong = [
        {**event, "id": 7},
        {**event, "id": ""},
        {**event, "specversion": 1.0},
        {**event, "specversion": "0.3"},
        {**event, "time": "yesterday"},
        {**event, "subject": ["1"]},
        {name: value for name, value in event.items() if name != "type"},
        [event],
        "product.updated",
        None,
    ]
    values: list[bytes | None] = [json.dumps(value).encode() for value in wrong]
    values += [chance.randbytes(length) for length in (1, 10, 1_000, 100_000)]
    values += [b"", None, b"\x00" * 100, b"[" * 100_000, b"x" * 2_000_000]
    keys = [None, b"", b"1", chance.randbytes(16)]
    return [(keys[number % len(keys)], value) for number, value in enumerate(values)]


@pytest.mark.fault(12, "duplicates and reordered copies by a hostile producer")
def test_copies_in_any_order_change_nothing(experiment: Experiment, settle: Settle) -> None:
    """Everything is delivered again, shuffled, to its own partition and to others."""
    experiment.start_relay()
    experiment.start_worker()
    experiment.start_worker()
    experiment.flow()
    chance = random.Random(12)
    with experiment.fault(), hostile_producer(experiment.stack.kafka) as producer:
        for _ in range(ROUNDS):
            delivered = sorted(set(messages(experiment.stack.kafka)))
            experiment.catch_up(len(delivered))
            for key, value in chance.sample(delivered, len(delivered)):
                producer.send(TOPIC, value, key=key)
                producer.send(TOPIC, value, key=key, partition=chance.randrange(PARTITIONS))
            producer.flush(timeout=30)
            experiment.flow()
    settle(experiment)
