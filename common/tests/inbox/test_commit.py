"""Errors at COMMIT: they count like any other, and only committed work is reported.

A foreign key is checked at COMMIT on both databases, so these tests need real transactions.
"""

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from common.contracts.product import ProductCreated
from common.tests.app.models import Note, Written
from common.tests.conftest import locked, noted, poison, product, written
from eventbus import outbox
from eventbus.events import Event, Place
from eventbus.inbox import Retry, signals, subscribe
from eventbus.inbox.models import InboxMessage, ParkedEvent, ParkedKey
from eventbus.inbox.parking.retrying import KEYS_A_ROUND
from eventbus.inbox.taking.subscriptions import HandlerSubscription
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db(transaction=True)

NOWHERE = 2_000_000_000
policy = Retry(attempts=3, backoff=10, jitter=False)


def publish(*events: ProductCreated) -> None:
    with transaction.atomic():
        outbox.publish_all(events)


def note(event: Event[Any]) -> None:
    """Write a row that cannot be committed, for version 1."""
    assert event.sequence is not None
    about = NOWHERE if event.sequence == 1 else None
    Note.objects.create(about_id=about, subject=event.subject, sequence=event.sequence)


def test_a_retry_that_fails_at_commit_counts_until_it_is_dead(
    bus: Bus, own_handlers: list[HandlerSubscription]
) -> None:
    subscribe(ProductCreated)(note)
    publish(product(1, 1), product(1, 2))
    assert bus.run().failed == 1
    for attempts in range(2, 9):
        assert bus.travel(days=1).failed == 1
        assert ParkedEvent.objects.all()[0].attempts == attempts
    assert ParkedKey.objects.get().state == "dead"
    assert bus.travel(days=1).failed == 0
    assert "FOREIGN KEY" in ParkedEvent.objects.all()[0].error.upper()
    assert written() == noted() == []


def test_lines_that_fail_at_commit_do_not_starve_others(
    bus: Bus, own_handlers: list[HandlerSubscription], heal: Callable[[], None]
) -> None:
    subscribe(ProductCreated)(note)
    many = range(2, KEYS_A_ROUND + 12)
    publish(*(product(number) for number in many))
    bus.run()
    publish(poison(1, 2))
    bus.run()
    heal()
    bus.travel(days=1)
    assert written() == ["1.2"]
    attempts = ParkedEvent.objects.filter(state="failed").values_list("attempts", flat=True)
    assert len(attempts) == len(many)
    assert min(attempts) >= 2


def test_an_isolated_handler_that_fails_at_commit_fails_alone(
    bus: Bus, own_handlers: list[HandlerSubscription]
) -> None:
    subscribe(ProductCreated, isolated=True, retry=policy)(note)
    publish(product(2, 2), product(1, 1), product(1, 2))
    bus.run()
    assert sorted(written()) == ["1.1", "1.2", "2.2"]
    assert noted() == ["2.2"]
    [line] = ParkedKey.objects.exclude(state="clear")
    assert (line.key, line.handler) == ("1", "common.tests.inbox.test_commit.note")
    assert [(row.state, row.attempts) for row in line.line()] == [("failed", 1), ("behind", 0)]
    for _ in range(2):
        bus.travel(days=1)
    line.refresh_from_db()
    assert (line.state, line.line()[0].handler) == ("dead", line.handler)
    assert sorted(written()) == ["1.1", "1.2", "2.2"]


def test_what_fails_at_commit_for_both_kinds_is_in_both_lines(
    bus: Bus, own_handlers: list[HandlerSubscription]
) -> None:
    subscribe(ProductCreated, isolated=True, retry=policy)(note)

    @subscribe(ProductCreated)
    def also(event: Event[Any]) -> None:
        note(event)

    publish(product(1, 1))
    bus.run()
    handlers_of_lines = ParkedKey.objects.filter(state="retrying").values_list("handler", flat=True)
    assert sorted(handlers_of_lines) == ["", "common.tests.inbox.test_commit.note"]
    assert written() == noted() == []


def test_nothing_is_reported_before_it_is_committed(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither log nor signals report parking that could not be committed."""
    publish(poison(1, 1))
    heard = []
    database = type(connections["default"])
    commit = database.commit
    failures = [DatabaseError("the commit failed")]

    def fail_once(self: BaseDatabaseWrapper) -> None:
        if ParkedEvent.objects.exists() and failures:
            raise failures.pop()
        commit(self)

    def hear(place: Place, **_: object) -> None:
        heard.append(place)

    signals.event_parked.connect(hear)
    monkeypatch.setattr(database, "commit", fail_once)
    try:
        with structlog.testing.capture_logs() as logs:
            bus.run()
    finally:
        signals.event_parked.disconnect(hear)
    assert failures == []
    assert len(heard) == len([line for line in logs if line["event"] == "parked"]) == 1


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("swallow", ["sql", "django"])
def test_a_handler_that_continues_after_an_error_does_not_succeed(
    bus: Bus, own_handlers: list[HandlerSubscription], swallow: str, isolated: bool
) -> None:
    """PostgreSQL and Django silently turn such a COMMIT into a rollback."""

    @subscribe(ProductCreated, isolated=isolated)
    def careless(event: Event[Any]) -> None:
        if swallow == "django":
            transaction.set_rollback(True)
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM no_such_table")
        except DatabaseError:
            pass

    publish(product())
    tally = bus.run()
    is_lost = swallow == "django" or connection.vendor == "postgresql"
    if is_lost:
        row = ParkedEvent.objects.get()
        assert "wrap statements that may fail in transaction.atomic()" in row.error
    assert tally.failed == is_lost
    assert written() == ([] if is_lost and not isolated else ["1.1"])
    assert InboxMessage.objects.count() == 1


def test_work_done_before_an_outage_of_the_database_is_counted(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.running.daemon.FIRST_PAUSE_SECONDS", 0)
    publish(poison(1, 1), product(2, 1))
    failures = [locked()]
    create = Written.objects.create

    def fail_for_the_second(**values: object) -> Written:
        if values["subject"] == "2" and ParkedEvent.objects.exists() and failures:
            raise failures.pop()
        return create(**values)

    monkeypatch.setattr(Written.objects, "create", fail_for_the_second)
    tally = bus.run()
    assert (tally.handled, tally.failed, tally.parked) == (1, 1, 1)
    assert failures == []
