"""Parked events are retried on schedule, in order, until they are handled or dead."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from common.contracts.product import ProductCreated
from common.tests.app import handlers
from common.tests.app.models import Written
from common.tests.conftest import hopeless, locked, poison, product, written
from eventbus import outbox
from eventbus.events import ContractViolation
from eventbus.inbox import Retry
from eventbus.inbox.models import ParkedEvent, ParkedKey
from eventbus.inbox.parking import retrying
from eventbus.inbox.taking.patience import Patience
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db


def publish(*events: ProductCreated) -> None:
    for event in events:
        outbox.publish(event)


def states() -> list[str]:
    return [event.state for event in ParkedEvent.objects.all()]


def test_it_is_retried_when_due_and_not_before(bus: Bus, heal: Callable[[], None]) -> None:
    publish(poison(1, 1), product(1, 2))
    bus.run()
    heal()
    assert bus.consume().handled == 0
    assert bus.travel(seconds=9).handled == 0
    assert bus.travel(seconds=1).handled == 2
    assert written() == ["1.1", "1.2"]
    assert states() == ["handled", "handled"]
    publish(product(1, 3))
    assert bus.run().parked == 0
    assert written() == ["1.1", "1.2", "1.3"]


def test_after_the_last_attempt_it_is_dead_and_its_key_waits(
    bus: Bus, heal: Callable[[], None]
) -> None:
    publish(poison(1, 1), product(1, 2))
    bus.run()
    waits = []
    while (key := ParkedKey.objects.get()).state == "retrying":
        assert key.next_try_at is not None
        waits.append(round((key.next_try_at - timezone.now()).total_seconds()))
        bus.travel(seconds=waits[-1])
    assert waits == [10, 20, 30]
    assert key.state == "dead"
    head = ParkedEvent.objects.all()[0]
    assert (head.attempts, head.state) == (4, "failed")
    heal()
    assert bus.travel(days=365).handled == 0
    assert written() == []
    publish(product(1, 3))
    assert bus.run().parked == 1
    assert bus.retry_parked().handled == 3
    assert written() == ["1.1", "1.2", "1.3"]


def test_an_error_that_the_policy_does_not_name_is_final(bus: Bus) -> None:
    publish(hopeless(1, 1))
    bus.run()
    assert ParkedKey.objects.get().state == "dead"


def test_a_follower_that_fails_holds_those_behind_it(bus: Bus, heal: Callable[[], None]) -> None:
    publish(poison(1, 1), product(1, 2), hopeless(1, 3), product(1, 4))
    bus.run()
    handlers.broken_prices.remove(handlers.BROKEN)
    try:
        bus.travel(seconds=10)
        assert written() == ["1.1", "1.2"]
        assert states() == ["handled", "handled", "failed", "behind"]
        assert ParkedKey.objects.get().state == "dead"
    finally:
        handlers.broken_prices.add(handlers.BROKEN)
    heal()
    bus.retry_parked()
    assert written() == ["1.1", "1.2", "1.3", "1.4"]


def test_many_followers_run_in_batches(
    bus: Bus, heal: Callable[[], None], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    publish(poison(1, 1), *(product(1, version) for version in range(2, 1203)))
    while bus.relay():
        pass
    bus.consume()
    heal()
    ParkedKey.objects.update(next_try_at=timezone.now())
    key = ParkedKey.objects.get()

    def step() -> int:
        return sum(len(outcome.handled) for outcome in retrying.advance(key, Patience()))

    assert step() == 1
    with django_assert_max_num_queries(500 + 30):  # 500 writes of the handler's own
        assert step() == 500
    bus.consume()
    assert written() == [f"1.{version}" for version in range(1, 1203)]


def test_an_event_without_a_key_is_retried_and_holds_no_other(
    bus: Bus, heal: Callable[[], None]
) -> None:
    publish(poison(1, 1), poison(2, 1))
    from eventbus.outbox.models import OutboxEvent

    for row in OutboxEvent.objects.all():
        value = row.payload.replace(f'"partitionkey":"{row.aggregateid}"', '"partitionkey":null')
        bus.send("product.events", value.encode(), key=None)
    assert bus.consume().failed == 2
    assert list(ParkedKey.objects.values_list("key", "state")) == [("", "retrying")] * 2
    heal()
    assert bus.travel(seconds=10).handled == 2
    assert written() == ["1.1", "2.1"]


def test_transient_database_errors_count_against_no_parked_event(
    bus: Bus, heal: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(poison(1, 1))
    bus.run()
    heal()
    create = Written.objects.create
    failures = [locked() for _ in range(5)]

    def fail_at_first(**values: object) -> Written:
        if failures:
            raise failures.pop()
        return create(**values)

    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(Written.objects, "create", fail_at_first)
    assert bus.travel(seconds=10).handled == 1
    assert ParkedEvent.objects.get().attempts == 2


@given(
    attempts=st.integers(1, 200),
    backoff=st.floats(0, 1e6),
    max_backoff=st.floats(0, 1e6),
    jitter=st.booleans(),
)
def test_waits_are_within_their_bounds(
    attempts: int, backoff: float, max_backoff: float, jitter: bool
) -> None:
    retry = Retry(attempts=200, backoff=backoff, max_backoff=max_backoff, jitter=jitter)
    wait = retry.wait(attempts, ValueError())
    if attempts == 200:
        assert wait is None
    else:
        assert wait is not None
        full = min(max_backoff, backoff * 2.0 ** (attempts - 1))
        rounding = timedelta(microseconds=1)
        assert timedelta(seconds=full / 2 if jitter else full) - rounding <= wait
        assert wait <= timedelta(seconds=full) + rounding


def test_a_contract_violation_is_never_retried() -> None:
    assert Retry().wait(1, ContractViolation("no")) is None


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"backoff": -1}, {"max_backoff": -1}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Retry"):
        Retry(**wrong)
