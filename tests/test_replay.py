"""Replaying history: data lost downstream is restored, and nothing else changes."""

import re
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from tests.stack import Stack, eventually, lines_with

FORGET = """
from audit_service.audit.models import AuditEntry
from audit_service.audit.tests.tampering import guard_off
with guard_off():
    AuditEntry.objects.filter({}).delete()
"""


@pytest.fixture
def product(stack: Stack) -> dict[str, Any]:
    """A product with three changes in the record."""
    product = stack.create_product(f"REPLAY-{datetime.now(UTC).timestamp()}")
    for stock in (8, 9):
        stack.change(product, stock=stock)
    eventually(lambda: stack.recorded(product) == [1, 2, 3])
    return product


def forget(stack: Stack, product: dict[str, Any], **where: object) -> None:
    """Delete entries of the audit record, which no production code does."""
    conditions = {"subject": str(product["id"]), **where}
    words = ", ".join(f"{name}={value!r}" for name, value in conditions.items())
    stack.manage("audit", "shell", "--command", FORGET.format(words))


@pytest.mark.real_too
def test_a_replay_fills_gaps_and_doubles_nothing(stack: Stack, product: dict[str, Any]) -> None:
    forget(stack, product, sequence=2)
    before = stack.manage("audit", "lag", "--json")
    output = stack.manage("audit", "replay_events", "--from-beginning", "--noinput")
    assert sorted(stack.recorded(product)) == [1, 2, 3]
    assert lines_with("audit_service.audit.handlers.record", output)
    [counted] = re.findall(r"([\d,]+) messages to read", output)
    assert int(counted.replace(",", "")) >= 3
    assert " 0 failed." in output
    committed = [p.split('"end"')[0] for p in before.split("{")]
    after = stack.manage("audit", "lag", "--json")
    assert [p.split('"end"')[0] for p in after.split("{")] == committed
    stack.change(product, stock=1)
    eventually(lambda: len(stack.recorded(product)) == 4)
    assert stack.ready("audit")["parked"] == stack.ready("audit")["dead"]


def test_a_replay_sends_no_notification_twice(stack: Stack, product: dict[str, Any]) -> None:
    mine = {"product_id": product["id"]}
    eventually(lambda: len(stack.rows("notification", "/api/notifications/", **mine)) == 1)
    stack.manage("notification", "replay_events", "--from-beginning", "--no-input")
    assert len(stack.rows("notification", "/api/deliveries/", **mine)) == 1


def test_what_is_replayed_can_be_chosen(stack: Stack, product: dict[str, Any]) -> None:
    forget(stack, product)
    words = ("replay_events", "--from-beginning", "--noinput", f"--subject={product['id']}")
    output = stack.manage("audit", *words, "--dry-run")
    assert "3 events would be replayed" in output
    assert stack.recorded(product) == []
    output = stack.manage("audit", *words, "--type=product.updated")
    assert "2 events replayed" in output
    assert sorted(stack.recorded(product)) == [2, 3]
    handler = "--handler=audit_service.audit.handlers.record"
    stack.manage("audit", *words, handler)
    assert sorted(stack.recorded(product)) == [1, 2, 3]


@pytest.mark.real_too
def test_a_replay_begins_when_it_is_told_to(stack: Stack, product: dict[str, Any]) -> None:
    moment = datetime.now(UTC).isoformat()
    stack.change(product, stock=50)
    eventually(lambda: len(stack.recorded(product)) == 4)
    words = ("replay_events", "--dry-run", f"--subject={product['id']}")
    assert "1 events would be replayed" in stack.manage("audit", *words, f"--since={moment}")
    assert "0 messages" in stack.manage("audit", *words, "--since=2999-01-01")


@pytest.mark.real_too
def test_a_long_history_is_read_to_its_end(stack: Stack, kafka: str) -> None:
    """Partitions take turns, and kafka-python must resume each of them."""
    topic, each = "long.history", 600
    with closing(KafkaAdminClient(bootstrap_servers=kafka.split(","))) as admin:
        admin.create_topics([NewTopic(topic, num_partitions=6, replication_factor=1)])
    with closing(KafkaProducer(bootstrap_servers=kafka.split(","))) as producer:
        for number in range(6 * each):
            producer.send(topic, b"no event" * 50, partition=number % 6)
    replay = stack.start(
        "audit", "replay_events", "--from-beginning", "--dry-run", CONSUMER_TOPICS=topic
    )
    assert replay.wait() == 0, replay.output
    assert lines_with(f"{6 * each:,} skipped", replay.output), replay.output


def test_what_cannot_be_replayed_is_one_line(stack: Stack) -> None:
    wrong = {
        "--since=yesterday": "2026-11-01T00:00Z",
        "--handler=nobody": "audit_service.audit.handlers.record",
        "--subject=1": "--noinput",
    }
    for word, hint in wrong.items():
        start = [] if "since" in word else ["--from-beginning"]
        process = stack.start("audit", "replay_events", word, *start)
        assert process.wait() != 0
        assert lines_with(hint, process.output), process.output
        assert "Traceback" not in process.output
