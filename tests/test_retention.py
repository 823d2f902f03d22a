"""Retention overtakes a stopped service: losses are reported, and everything else continues."""

import json
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from common.contracts.product import TOPIC
from tests.stack import Stack, eventually, lines_with

# The embedded broker deletes nothing.
pytestmark = pytest.mark.real


def delete_records(stack: Stack, offsets: dict[TopicPartition, int]) -> None:
    """Delete messages as retention does, but immediately."""
    client = KafkaAdminClient(bootstrap_servers=stack.kafka)
    client.delete_records(offsets)
    client.close()


def lag(stack: Stack, code: int) -> list[dict[str, Any]]:
    """The output of the command, which must exit with this code."""
    process = stack.start("audit", "lag", "--json")
    assert process.wait() == code, process.output
    [line] = lines_with('"committed"', process.output)
    if code:
        assert lines_with("messages are lost", process.output)
        assert "Traceback" not in process.output
    partitions: list[dict[str, Any]] = json.loads(line)
    return partitions


def test_losses_are_reported_everywhere(small_stack: Stack) -> None:
    stack = small_stack
    stack.start("product", "relay_events")
    worker = stack.consume("audit")
    product = stack.create_product("RET-1")
    eventually(lambda: stack.recorded(product) == [1])
    assert worker.stop() == 0

    for stock in range(10, 16):
        stack.change(product, stock=stock)
    [before] = eventually(lambda: [p for p in lag(stack, 0) if p["lag"] == 6])
    place = TopicPartition(TOPIC, before["partition"])
    delete_records(stack, {place: before["committed"] + 4})

    [after] = [p for p in lag(stack, 1) if p["lost"]]
    assert after == {
        **before,
        "earliest": before["committed"] + 4,
        "lag": 2,
        "lost": 4,
        "seconds_behind": after["seconds_behind"],
    }
    assert after["seconds_behind"] > 0

    worker = stack.consume("audit")
    eventually(lambda: stack.recorded(product) == [1, 6, 7])
    assert stack.ready("audit")["lost"] == 4
    reported = lines_with("Kafka deleted messages before they were read", worker.output)
    assert len(reported) == 1
    assert f"{TOPIC}/{place.partition}" in reported[0]
    timeline = stack.rows("audit", f"/api/subjects/product/{product['id']}/timeline/")
    [missing] = [row["missing"] for row in timeline if row["missing"]]
    assert missing == {"first": 2, "last": 5, "is_lost": True}
    assert "were not recorded" in " ".join(stack.manage("audit", "verify").split())
    assert all(p["lost"] == 0 for p in lag(stack, 0))
    assert worker.stop() == 0

    worker = stack.consume("audit")
    stack.change(product, stock=99)
    eventually(lambda: stack.recorded(product) == [1, 6, 7, 8])
    assert not lines_with("Kafka deleted messages before they were read", worker.output)
    output = stack.manage("audit", "replay_events", "--from-beginning", "--noinput", "--dry-run")
    assert "3 messages to read" in output


def test_a_worker_overtaken_while_it_is_frozen_resumes_behind_the_gap(small_stack: Stack) -> None:
    """It is frozen like a paused machine, while messages keep arriving in its partition."""
    stack = small_stack
    stack.start("product", "relay_events")
    worker = stack.consume("audit")
    product = stack.create_product("RET-2")
    eventually(lambda: stack.recorded(product) == [1])
    worker.freeze()
    for stock in range(10, 14):
        stack.change(product, stock=stock)
    [place] = {
        TopicPartition(TOPIC, p["partition"])
        for p in eventually(lambda: [p for p in lag(stack, 0) if p["lag"] == 4])
    }
    delete_records(stack, {place: 3})
    worker.thaw()
    eventually(lambda: stack.ready("audit")["lost"], seconds=60)
    eventually(lambda: 5 in stack.recorded(product))
    recorded = stack.recorded(product)
    assert stack.ready("audit")["lost"] == 5 - len(recorded)
    assert recorded[0] == 1
