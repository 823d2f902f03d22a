"""The path of one event, from a request to the rows of two other services."""

import json
from collections.abc import Iterator

import pytest
from cloudevents.core.bindings.kafka import to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError

from tests.stack import Stack, eventually

pytestmark = pytest.mark.real_too

WITHIN_SECONDS = 3


def test_a_new_product_is_recorded_and_notified_within_three_seconds(stack: Stack) -> None:
    product = stack.create_product("WAY-1")
    [entry] = eventually(
        lambda: stack.rows("audit", "/api/events/", subject=product["id"]), WITHIN_SECONDS
    )
    assert (entry["type"], entry["data"], entry["actor"]) == ("product.created", product, "admin")
    [notification] = eventually(
        lambda: stack.rows("notification", "/api/notifications/", product_id=product["id"]),
        WITHIN_SECONDS,
    )
    assert notification["text"] == "Kettle WAY-1 is now available for €19.90."


def test_the_request_id_can_be_followed_into_the_audit_record(stack: Stack) -> None:
    body = {"sku": "WAY-2", "name": "Pan", "price": "1"}
    headers = {"X-Request-ID": "order-4711"}
    stack.client("product").post("/api/products/", json=body, headers=headers).raise_for_status()
    [entry] = eventually(lambda: stack.rows("audit", "/api/events/", correlation_id="order-4711"))
    assert entry["data"]["sku"] == "WAY-2"


HAMMER = """
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from product_service.products.models import Product

ids = [Product.objects.create(sku=f"H{n}", name=f"H{n}", price=1).pk for n in range(20)]

def change(number):
    for round in range(250):
        product = Product.objects.get(pk=ids[(round * 4 + number * 7) % 20])
        product.name = f"{number}-{round}"
        product.save()
    connection.close()

with ThreadPoolExecutor(4) as pool:
    list(pool.map(change, range(4)))
"""


def test_a_thousand_updates_from_four_threads_arrive_in_order(stack: Stack) -> None:
    stack.manage("product", "shell", "--command", HAMMER)
    entries = eventually(
        lambda: (rows := stack.rows("audit", "/api/events/", actor="system:shell"))[1019:] and rows
    )
    sequences: dict[str, list[int]] = {}
    for entry in entries:
        sequences.setdefault(entry["subject"], []).append(entry["sequence"])
    assert len(entries) == 1020
    assert len(sequences) == 20
    for of_one_product in sequences.values():
        assert of_one_product == list(range(1, len(of_one_product) + 1))


@pytest.fixture
def other_producer(kafka: str) -> Iterator[KafkaProducer]:
    """A foreign producer, which may send anything."""
    producer = KafkaProducer(
        bootstrap_servers=kafka, max_request_size=4_000_000, enable_idempotence=False
    )
    yield producer
    producer.close()


def event(**attributes: object) -> dict[str, object]:
    smallest = {"specversion": "1.0", "source": "/other", "id": "1", "type": "order.placed"}
    return {**smallest, "subject": "other", **attributes}


def test_foreign_messages_are_handled_or_parked_and_the_rest_continues(
    stack: Stack, other_producer: KafkaProducer
) -> None:
    """Unknown types, additional fields and binary mode are accepted; invalid events are parked."""
    parked_before = stack.ready("audit")["parked"]
    stored = 0
    binary = to_binary(
        CloudEvent(
            {**event(id="binary"), "datacontenttype": "application/json"}, {"total": "7.00"}
        ),
        JSONFormat(),
    )
    without_id = {name: value for name, value in event().items() if name != "id"}
    for value, headers in [
        (json.dumps(event(id="unknown-type", data={"a": 1})).encode(), []),
        (json.dumps(event(id="extra-field", colour="red", data={"b": 2})).encode(), []),
        (binary.value, list(binary.headers.items())),
        (b'{"specversion": "1.0", "id"', []),
        (json.dumps(without_id).encode(), []),
        (b"x" * 2_000_000, []),
        (json.dumps(event(id="last")).encode(), []),
    ]:
        future = other_producer.send("product.events", value, key=b"other", headers=headers)
        try:
            future.get(timeout=10)
            stored += 1
        except MessageSizeTooLargeError:
            assert len(value) > 1_000_000  # some brokers reject messages that others store

    entries = eventually(
        lambda: (rows := stack.rows("audit", "/api/events/", subject="other"))[3:] and rows
    )
    assert [entry["event_id"] for entry in entries] == [
        "unknown-type",
        "extra-field",
        "binary",
        "last",
    ]
    assert [entry["data"] for entry in entries[:3]] == [{"a": 1}, {"b": 2}, {"total": "7.00"}]
    assert stack.ready("audit")["parked"] == parked_before + stored - len(entries)

    product = stack.create_product("WAY-3")
    eventually(lambda: stack.recorded(product) == [1], WITHIN_SECONDS)
