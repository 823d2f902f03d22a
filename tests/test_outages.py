"""Killed processes and outages: nothing is lost, duplicated or reordered."""

import time

import pytest

from tests.stack import Broker, Stack, eventually, lines_with, trouble

pytestmark = pytest.mark.real_too

AT_ONCE_SECONDS = 1.5
"""Below every timeout of a Kafka client: a request that waited for Kafka would take longer."""


def test_saving_continues_without_kafka_and_everything_arrives_later(
    bare_stack: Stack, own_kafka: Broker
) -> None:
    stack = bare_stack
    for service in ("product", "audit"):
        stack.serve(service)
    relay = stack.start("product", "relay_events")
    worker = stack.start("audit", "consume_events")
    eventually(lambda: "waiting" in relay.output and "waiting" in worker.output)
    own_kafka.start()
    stack.manage("product", "create_topics")
    product = stack.create_product("OUT-1")
    eventually(lambda: stack.recorded(product) == [1])

    own_kafka.stop()
    for stock in range(10, 30):
        started = time.monotonic()
        stack.change(product, stock=stock)
        assert time.monotonic() - started < AT_ONCE_SECONDS
    eventually(lambda: lines_with("waiting for Kafka", relay.output))
    own_kafka.start()
    stack.manage("product", "create_topics")
    eventually(lambda: len(stack.recorded(product)) == 21, seconds=60)

    assert stack.recorded(product) == list(range(1, 22))
    assert len(lines_with("waiting for Kafka", relay.output)) == 1
    assert stack.ready("audit")["parked"] == 0
    assert (relay.stop(), worker.stop()) == (0, 0)


def test_a_worker_killed_in_mid_batch_loses_and_doubles_nothing(small_stack: Stack) -> None:
    stack = small_stack
    product = stack.create_product("OUT-2")
    for stock in range(10, 15):
        stack.change(product, stock=stock)
    relay = stack.start("product", "relay_events")
    held = stack.directory / "held"
    worker = stack.start("audit", "consume_events", **trouble(HOLD_INSIDE=held))
    eventually(held.exists)
    worker.kill()
    assert stack.recorded(product) == []

    stack.start("audit", "consume_events")
    stack.change(product, stock=99)
    eventually(lambda: len(stack.recorded(product)) == 7)
    assert stack.recorded(product) == list(range(1, 8))
    assert relay.stop() == 0


def test_a_standby_relay_takes_over(small_stack: Stack) -> None:
    stack = small_stack
    stack.consume("audit")
    active = stack.start("product", "relay_events")
    product = stack.create_product("OUT-3")
    eventually(lambda: stack.recorded(product) == [1])
    standby = stack.start("product", "relay_events")
    eventually(lambda: lines_with("on standby", standby.output))

    active.kill()
    stack.change(product, stock=7)
    eventually(lambda: stack.recorded(product) == [1, 2])
    assert lines_with("relayed", standby.output)
    assert standby.stop() == 0


def test_relay_and_worker_stop_when_asked_during_a_kafka_outage(
    small_stack: Stack, own_kafka: Broker
) -> None:
    stack = small_stack
    relay = stack.start("product", "relay_events")
    worker = stack.consume("audit")
    product = stack.create_product("OUT-4")
    eventually(lambda: stack.recorded(product) == [1])
    own_kafka.stop()
    stack.change(product, stock=7)
    eventually(lambda: lines_with("waiting for Kafka", relay.output))
    assert (relay.stop(), worker.stop()) == (0, 0)
    assert "Traceback" not in relay.output + worker.output
