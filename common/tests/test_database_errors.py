"""Only transient database errors are waited out."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction

from common.contracts.product import TOPIC, ProductCreated
from common.tests.app.models import Written
from common.tests.conftest import locked, poison, product, written
from eventbus import outbox
from eventbus.database.errors import PASSING_SQLSTATES, passes
from eventbus.events import Event
from eventbus.inbox import subscribe
from eventbus.inbox.models import ParkedEvent, ParkedKey, WorkerState
from eventbus.inbox.running.replay import Replay
from eventbus.inbox.taking.patience import PATIENCE_SECONDS, Patience
from eventbus.inbox.taking.subscriptions import HandlerSubscription, subscriptions
from eventbus.testing.bus import Bus

STATEMENTS = {
    "postgresql": "CREATE TEMPORARY SEQUENCE fresh; SELECT currval('fresh')",
    "sqlite": "SELECT * FROM no_such_table",
}


def of_postgresql(code: str) -> OperationalError:
    error = OperationalError(code)
    error.__cause__ = psycopg.errors.lookup(code)(code)
    return error


@pytest.mark.parametrize("code", sorted(PASSING_SQLSTATES))
def test_transient_codes(code: str) -> None:
    assert passes(of_postgresql(code))


@pytest.mark.parametrize(
    "code",
    [
        *("22P02", "23505", "25P02", "25P03", "26000", "40002", "42P01", "53400", "54001"),
        *("55000", "55006", "55P02", "55P04", "57014", "58P01", "XX000", "XX001"),
    ],
)
def test_other_codes_count_against_the_event(code: str) -> None:
    assert not passes(of_postgresql(code))


def test_a_failover_is_an_internal_error_to_the_driver_and_passes() -> None:
    error = InternalError("read-only")
    error.__cause__ = psycopg.errors.ReadOnlySqlTransaction("read-only")
    assert passes(error)


@pytest.mark.parametrize(
    ("code", "is_waited_for"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_IOERR_FSYNC, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, False),
        (sqlite3.SQLITE_CORRUPT, False),
    ],
)
def test_sqlites_codes(code: int, is_waited_for: bool) -> None:
    cause = sqlite3.OperationalError("x")
    cause.sqlite_errorcode = code
    error = OperationalError("x")
    error.__cause__ = cause
    assert passes(error) is is_waited_for


@pytest.mark.django_db(transaction=True)
def test_an_error_without_a_code_passes_where_the_connection_is_gone() -> None:
    for error in (OperationalError("gone"), InterfaceError("the cursor is closed")):
        connection.ensure_connection()
        error.__cause__ = psycopg.OperationalError("no code")
        assert not passes(error)
        raw, connection.connection = connection.connection, None
        assert passes(error)
        connection.connection = raw


@pytest.mark.django_db(transaction=True)
def test_a_handlers_own_sql_error_is_parked_and_stops_nobody(
    bus: Bus, own_handlers: list[HandlerSubscription]
) -> None:
    @subscribe(ProductCreated)
    def own_sql(event: Event[Any]) -> None:
        if event.subject == "1":
            with connection.cursor() as cursor:
                cursor.execute(STATEMENTS[connection.vendor])

    with transaction.atomic():
        outbox.publish_all([product(1), product(2)])
    tally = bus.run()
    assert (tally.handled, tally.failed) == (1, 1)
    assert written() == ["2.1"]


@pytest.mark.django_db(transaction=True)
def test_a_handlers_misuse_of_its_cursor_is_parked(
    bus: Bus, own_handlers: list[HandlerSubscription]
) -> None:
    @subscribe(ProductCreated)
    def misuse(event: Event[Any]) -> None:
        with connection.cursor() as cursor:
            pass
        cursor.execute("SELECT 1")

    with transaction.atomic():
        outbox.publish(product(1))
    assert bus.run().failed == 1


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's waits, and with them its patience, elapse immediately."""
    monkeypatch.setattr("eventbus.running.daemon.FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("eventbus.running.daemon.LONGEST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("eventbus.inbox.taking.patience.PATIENCE_SECONDS", 0.05)


def never_passes(monkeypatch: pytest.MonkeyPatch, subject: str) -> None:
    create = Written.objects.create

    def fail(**values: object) -> Written:
        if values["subject"] == subject:
            raise locked()
        return create(**values)

    monkeypatch.setattr(Written.objects, "create", fail)


@pytest.mark.django_db
def test_transient_errors_that_persist_count_while_the_database_answers(
    bus: Bus, hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_passes(monkeypatch, "1")
    outbox.publish_all([product(1), product(2), product(1, 2)])
    tally = bus.run()
    assert (tally.failed, tally.parked) == (1, 2)
    assert written() == ["2.1"]
    assert "locked" in ParkedEvent.objects.all()[0].error


@pytest.mark.django_db
def test_the_same_in_a_line_of_retries(
    bus: Bus, hurry: None, heal: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.publish_all([poison(1, 1), poison(2, 1)])
    bus.run()
    heal()
    never_passes(monkeypatch, "1")
    bus.travel(seconds=10)
    assert written() == ["2.1"]
    assert ParkedEvent.objects.get(state="failed").attempts == 2


@pytest.mark.django_db
def test_the_same_in_a_replay(bus: Bus, hurry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox.publish_all([product(1), product(2)])
    bus.relay()
    never_passes(monkeypatch, "1")
    replay = Replay(list(subscriptions), [], [], threading.Event())
    replay.take(bus.kafka.records(TOPIC))
    assert (replay.failed, replay.replayed.total()) == (1, 1)
    assert written() == ["2.1"]


@pytest.mark.django_db
def test_no_event_is_to_blame_while_nothing_can_be_written(
    bus: Bus, hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: here much longer than the patience lasts."""
    never_passes(monkeypatch, "1")
    passed: list[int] = []
    monkeypatch.setattr("eventbus.inbox.taking.patience.time.monotonic", lambda: 1.0 * len(passed))
    create = Written.objects.create

    def heal_at_last(**values: object) -> object:
        passed.append(1)
        if len(passed) < 4 * PATIENCE_SECONDS:
            return create(**values)
        Written(**values).save()
        return None

    def beat(self: WorkerState, **options: object) -> None:
        raise locked()

    monkeypatch.setattr(Written.objects, "create", heal_at_last)
    monkeypatch.setattr(WorkerState, "save", beat)
    outbox.publish(product(1))
    assert bus.run().handled == 1
    assert not ParkedKey.objects.exists()


def test_patience_is_not_renewed_while_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("eventbus.inbox.taking.patience.time.monotonic", lambda: now[0])
    patience = Patience()
    assert patience.waits_for(locked())
    patience.note_failure(database_answers=True)
    now[0] = PATIENCE_SECONDS
    assert not patience.waits_for(locked())
    patience.note_success()
    assert not patience.waits_for(locked())
    patience.note_success()
    patience.note_success()
    assert patience.waits_for(locked())
    assert not patience.waits_for(ValueError())
