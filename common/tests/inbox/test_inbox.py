"""Consuming: exactly once in effect, in order within a key, and nothing skipped silently."""

from collections.abc import Callable, Sequence

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from common.contracts.product import TOPIC
from common.tests.app import handlers
from common.tests.app.models import Written
from common.tests.conftest import locked, poison, product, written
from eventbus import outbox
from eventbus.inbox.models import InboxMessage, ParkedEvent
from eventbus.outbox.models import OutboxEvent
from eventbus.testing.bus import Bus
from eventbus.testing.kafka import InMemoryKafka

pytestmark = pytest.mark.django_db


def test_an_event_is_handled_once_however_often_it_is_delivered(bus: Bus) -> None:
    outbox.publish(product())
    assert bus.run().handled == 1
    assert bus.consume_again().handled == 0
    assert written() == ["1.1"]


def test_a_failing_event_is_parked_and_holds_its_key_alone(
    bus: Bus, heal: Callable[[], None]
) -> None:
    for event in (product(1), poison(1, 2), product(1, 3), product(2)):
        outbox.publish(event)
    tally = bus.run()
    assert (tally.handled, tally.failed, tally.parked) == (2, 1, 2)
    assert sorted(written()) == ["1.1", "2.1"]
    head, follower = ParkedEvent.objects.all()
    assert (head.state, follower.state) == ("failed", "behind")
    assert "broken price" in head.error
    assert "Traceback" in head.traceback
    assert (head.attempts, head.handler) == (1, "common.tests.app.handlers.write")
    heal()
    assert bus.retry_parked().handled == 2
    assert written()[-2:] == ["1.2", "1.3"]


def test_later_events_wait_behind_a_parked_one_in_later_batches_too(
    bus: Bus, heal: Callable[[], None]
) -> None:
    outbox.publish(poison(1, 1))
    bus.run()
    for event in (product(1, 2), product(1, 3)):
        outbox.publish(event)
    assert bus.run().parked == 2
    heal()
    bus.retry_parked()
    outbox.publish(product(1, 4))
    bus.run()
    assert written() == ["1.1", "1.2", "1.3", "1.4"]


@pytest.mark.parametrize(
    "garbage",
    [b"{", b"\xff\x00", b"[]", b"", None, b"[" * 100_000, b"x" * 2_000_000, b'{"id": "1"}'],
    ids=["cut", "bytes", "list", "empty", "tombstone", "deep", "large", "incomplete"],
)
def test_an_invalid_message_is_parked_once_and_holds_no_key(
    bus: Bus, garbage: bytes | None
) -> None:
    bus.send(TOPIC, garbage, key=b"1")
    bus.consume()
    outbox.publish(product(1))
    bus.run()
    bus.consume_again()
    assert written() == ["1.1"]
    row = ParkedEvent.objects.get()
    assert (row.value and bytes(row.value)) == garbage
    assert row.error


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
def test_bytes_that_text_columns_refuse_are_parked(
    bus: Bus, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]
) -> None:
    bus.send(TOPIC, value, key, headers)
    bus.consume()
    row = ParkedEvent.objects.get()
    assert row.key is not None
    assert row.value is not None
    assert (bytes(row.key), bytes(row.value)) == (key, value)
    assert bus.retry_parked().handled == 0


def test_a_binary_key_is_held_like_any_other(bus: Bus) -> None:
    for event in (poison(1, 1), product(1, 2)):
        outbox.publish(event)
    for row in OutboxEvent.objects.all():
        bus.send(TOPIC, row.payload.encode(), key=b"\x00\x00\x00\x01")
    assert bus.consume().parked == 2


def test_unknown_types_and_fields_are_accepted(bus: Bus) -> None:
    outbox.publish(product())
    payload = OutboxEvent.objects.get().payload
    unknown = payload.replace("product.created", "product.praised")
    extra = payload.replace('"data":{', '"extra":[1],"data":{"colour":"red",')
    for value in (unknown, extra):
        bus.send(TOPIC, value.encode(), key=b"1")
    bus.consume()
    assert written() == ["1.1"]
    assert not ParkedEvent.objects.exists()


def test_data_that_breaks_its_contract_is_parked_and_holds_its_key(bus: Bus) -> None:
    outbox.publish(product())
    outbox.publish(product(1, 2))
    first, second = (row.payload for row in OutboxEvent.objects.all())
    bus.send(TOPIC, first.replace('"stock":1', '"stock":"many"').encode(), key=b"1")
    bus.send(TOPIC, second.encode(), key=b"1")
    assert bus.consume().parked == 2
    assert "stock" in ParkedEvent.objects.all()[0].error


def test_an_error_with_any_text_is_parked(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**values: object) -> None:
        raise ValueError("\x00 and \udc00")

    monkeypatch.setattr(Written.objects, "create", fail)
    outbox.publish(product())
    assert bus.run().parked == 1
    assert ParkedEvent.objects.get().error == "ValueError: \\x00 and \\udc00"


def test_a_transient_error_does_not_count_against_the_event(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [locked() for _ in range(20)]
    create = Written.objects.create

    def fail_at_first(**values: object) -> Written:
        if failures:
            raise failures.pop()
        return create(**values)

    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(Written.objects, "create", fail_at_first)
    outbox.publish(product())
    assert bus.run().handled == 1
    assert written() == ["1.1"]


seldom = st.integers(0, 6).map(lambda number: number == 6)  # a failure splits up its batch


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(st.tuples(st.integers(1, 3), seldom), min_size=1, max_size=14),
    batch_size=st.integers(1, 8),
    data=st.data(),
)
def test_any_mix_of_failures_and_duplicates_keeps_order(
    steps: list[tuple[int, bool]], batch_size: int, data: DataObject
) -> None:
    """Whatever fails or is redelivered: each event once, in order within its key."""
    with pytest.MonkeyPatch.context() as patch, transaction.atomic():
        bus = Bus(InMemoryKafka(**{TOPIC: 2}), "bus_tests")
        versions = dict.fromkeys(range(1, 4), 0)
        for product_id, broken in steps:
            versions[product_id] += 1
            make = poison if broken else product
            outbox.publish(make(product_id, versions[product_id]))
        payloads = [row.payload.encode() for row in OutboxEvent.objects.all()]
        for sent, (product_id, _) in enumerate(steps):
            bus.send(TOPIC, payloads[sent], key=str(product_id).encode())
            for again in data.draw(st.lists(st.integers(0, sent), max_size=2)):
                bus.send(TOPIC, payloads[again], key=str(steps[again][0]).encode())
        bus.consume(batch_size)
        committed = bus.kafka.groups["bus_tests"].committed
        for partition in bus.kafka.partitions(TOPIC):
            stored = len(bus.kafka.logs[partition])
            committed[partition] = data.draw(st.integers(0, stored))
        bus.consume(batch_size)
        patch.setattr(handlers, "broken_prices", set())
        bus.retry_parked()
        for product_id, version in versions.items():
            rows = Written.objects.filter(subject=str(product_id)).order_by("id")
            assert [row.sequence for row in rows] == list(range(1, version + 1))
        assert InboxMessage.objects.count() == len(steps)
        transaction.set_rollback(True)


def test_duplicates_within_one_batch_do_not_change_the_order(bus: Bus) -> None:
    for version in (1, 2):
        outbox.publish(product(1, version))
    first, second = (row.payload.encode() for row in OutboxEvent.objects.all())
    for payload in (first, second, first):
        bus.send(TOPIC, payload, key=b"1")
    assert bus.consume().handled == 2
    assert written() == ["1.1", "1.2"]
