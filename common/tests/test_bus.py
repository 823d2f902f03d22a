"""One event through outbox, in-memory Kafka and inbox."""

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import outbox
from common.contracts.product import TOPIC, ProductCreated
from common.events import Contract, ContractViolation, InvalidEvent, decode
from common.inbox import parking
from common.inbox.models import InboxMessage, ParkedEvent
from common.inbox.worker import Worker
from common.outbox.models import OutboxEvent
from common.outbox.publishing import NoTransaction
from common.outbox.relay import Relay
from common.testing.kafka import InMemoryKafka
from common.tests.app import handlers
from common.tests.app.models import Written

GROUP = "bus_tests"
pytestmark = pytest.mark.django_db


@pytest.fixture
def kafka() -> InMemoryKafka:
    return InMemoryKafka()


def product(product_id: int = 1, version: int = 1, price: str = "5.00") -> ProductCreated:
    now = datetime.now(UTC)
    return ProductCreated(
        id=product_id,
        sku=f"S{product_id}",
        name="Kettle",
        description="",
        category=None,
        price=Decimal(price),
        currency="EUR",
        stock=1,
        is_active=True,
        version=version,
        created_at=now,
        updated_at=now,
    )


def relay(kafka: InMemoryKafka) -> int:
    return Relay(kafka.producer, threading.Event()).relay_batch()


def consume(kafka: InMemoryKafka) -> Worker:
    worker = Worker(kafka.consumer(GROUP), GROUP, [TOPIC], drain=True)
    worker.run()
    return worker


def written() -> list[str]:
    return [str(row) for row in Written.objects.order_by("id")]


def test_an_event_goes_all_the_way_once(kafka):
    outbox.publish(product())
    assert relay(kafka) == 1
    assert relay(kafka) == 0
    consume(kafka)
    kafka.offsets.clear()  # as after a crash before the offset commit
    consume(kafka)
    assert written() == ["1.1"]


def test_a_rollback_takes_the_event_back():
    with transaction.atomic():
        outbox.publish(product())
        transaction.set_rollback(True)
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_refused():
    with pytest.raises(NoTransaction):
        outbox.publish(product())


def test_a_contract_is_checked_when_publishing():
    with pytest.raises(Exception, match="stock"):
        outbox.publish(
            ProductCreated(
                **{**{f: getattr(product(), f) for f in product().__struct_fields__}, "stock": -1}
            )
        )


def test_a_failing_event_is_parked_and_holds_its_key_alone(kafka, monkeypatch):
    monkeypatch.setattr("common.inbox.processing.BACKOFF_SECONDS", 0)
    for event in (product(1), product(1, 2, "666"), product(1, 3), product(2)):
        outbox.publish(event)
    relay(kafka)
    worker = consume(kafka)
    assert (worker.handled, worker.parked) == (2, 2)
    assert written() == ["1.1", "2.1"]
    head, follower = ParkedEvent.objects.all()
    assert (head.state, follower.state) == ("failed", "behind")
    assert "cannot stand" in head.error
    assert "Traceback" in head.traceback
    assert parking.retry(GROUP) == (0, 2)
    monkeypatch.setattr(handlers, "broken_prices", set())
    assert parking.retry(GROUP) == (2, 0)
    assert written() == ["1.1", "2.1", "1.2", "1.3"]


@pytest.mark.parametrize(
    "garbage",
    [b"{", b"\xff\x00", b"[]", b"", None, b"[" * 100_000, b"x" * 2_000_000],
    ids=["cut", "bytes", "list", "empty", "tombstone", "deep", "large"],
)
def test_what_is_no_event_is_parked_once_and_holds_nobody(kafka, garbage):
    kafka.producer().send(TOPIC, garbage, key=b"1")
    outbox.publish(product(1))
    relay(kafka)
    consume(kafka)
    kafka.offsets.clear()
    consume(kafka)
    assert written() == ["1.1"]
    assert ParkedEvent.objects.count() == 1


NUL_ID = b'{"specversion":"1.0","id":"a\\u0000b","source":"/x","type":"product.created"}'


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"\x00\x00\x00\x07", b"{", []),
        (b"1", NUL_ID, []),
        (b"1", b"{", [("trace", b"\x00\xff")]),
        (b"1", b"{", [("na\x00me", b"x")]),
    ],
    ids=["binary key", "id", "header", "header name"],
)
def test_bytes_that_text_columns_refuse_are_parked(kafka, key, value, headers):
    kafka.producer().send(TOPIC, value, key, headers)
    consume(kafka)
    row = ParkedEvent.objects.get()
    assert (bytes(row.key), bytes(row.value)) == (key, value)
    assert parking.retry(GROUP) == (0, 1)


def test_a_binary_key_is_held_like_any_other(kafka, monkeypatch):
    monkeypatch.setattr("common.inbox.processing.BACKOFF_SECONDS", 0)
    for event in (product(1, 1, "666"), product(1, 2)):
        outbox.publish(event)
    for row in OutboxEvent.objects.all():
        kafka.producer().send(TOPIC, row.payload.encode(), key=b"\x00\x00\x00\x01")
    assert consume(kafka).parked == 2


def test_unknown_types_and_fields_are_read_without_trouble(kafka):
    outbox.publish(product())
    payload = OutboxEvent.objects.get().payload
    unknown = payload.replace("product.created", "product.praised")
    extra = payload.replace('"data":{', '"extra":[1],"data":{"colour":"red",')
    for value in (unknown, extra):
        kafka.producer().send(TOPIC, value.encode(), key=b"1")
    consume(kafka)
    assert written() == ["1.1"]
    assert not ParkedEvent.objects.exists()


def test_the_official_sdk_reads_our_envelope_and_we_read_its_binary_mode(kafka):
    outbox.publish(product(7))
    relay(kafka)
    [record] = kafka.logs[TOPIC]
    message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    theirs = from_structured(message, JSONFormat(), CloudEvent)
    assert theirs.get_type() == "product.created"
    assert theirs.get_data()["price"] == "5.00"

    back = to_binary(theirs, JSONFormat())
    envelope = decode(back.value, back.headers.items())
    assert (envelope.id, envelope.subject) == (theirs.get_id(), "7")
    assert from_binary(back, JSONFormat(), CloudEvent).get_data() == theirs.get_data()


def test_a_missing_id_is_named():
    with pytest.raises(InvalidEvent, match="id"):
        decode(b'{"specversion":"1.0","source":"/x","type":"y"}')


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=12), st.data())
def test_any_mix_of_failures_and_redeliveries_keeps_order(steps, data):
    """Whatever fails and whatever comes again: each event once, in order within its key."""
    with pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr("common.inbox.processing.BACKOFF_SECONDS", 0)
        patch.setattr(handlers, "broken_prices", {handlers.BROKEN})
        kafka = InMemoryKafka()
        versions = {1: 0, 2: 0, 3: 0}
        for product_id, broken in steps:
            versions[product_id] += 1
            price = handlers.BROKEN if broken else "5.00"
            outbox.publish(product(product_id, versions[product_id], price))
        relay(kafka)
        consume(kafka)
        kafka.offsets[GROUP, TOPIC] = data.draw(st.integers(0, len(steps)))
        consume(kafka)
        patch.setattr(handlers, "broken_prices", set())
        parking.retry(GROUP)
        for product_id, version in versions.items():
            rows = Written.objects.filter(subject=str(product_id)).order_by("id")
            assert [row.sequence for row in rows] == list(range(1, version + 1))
        assert InboxMessage.objects.count() == len(steps)
        transaction.set_rollback(True)


def test_data_that_breaks_its_contract_is_named(kafka):
    outbox.publish(product())
    broken = OutboxEvent.objects.get().payload.replace('"stock":1', '"stock":"many"')
    kafka.producer().send(TOPIC, broken.encode(), key=b"1")
    consume(kafka)
    assert "stock" in ParkedEvent.objects.get().error
    assert issubclass(ContractViolation, Exception)
    assert issubclass(ProductCreated, Contract)
