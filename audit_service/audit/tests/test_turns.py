"""Two workers that check the same actor at once raise the same alerts as a single worker."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from audit_service.audit.models import Alert, AuditEntry, KnownActor, Rule
from audit_service.audit.tests.made import deletions, made, price, take
from eventbus.database.errors import passes
from eventbus.events import Event
from eventbus.testing.eventually import eventually

pytestmark = pytest.mark.django_db(transaction=True)


class OtherWorker(threading.Thread):
    """Handles events in a transaction of its own, beside that of the test."""

    def __init__(self, *events: Event[Any]) -> None:
        super().__init__()
        self._events = events
        self._session = None
        self._was_refused = False
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._take()
        except Exception as error:
            self.error = error
        finally:
            connection.close()

    def _take(self) -> None:
        while True:
            try:
                with transaction.atomic():
                    if connection.vendor == "postgresql":
                        self._session = connection.connection.info.backend_pid
                    take(*self._events)
                    return
            except OperationalError as error:  # SQLite has one writer, and no queue
                if connection.vendor == "postgresql" or not passes(error):
                    raise
                self._was_refused = True
                time.sleep(0.01)

    def is_waiting(self) -> bool:
        """Whether it is waiting for another transaction."""
        if connection.vendor != "postgresql":
            return self._was_refused
        with connection.cursor() as cursor:
            waits = "SELECT count(*) > 0 FROM pg_locks WHERE pid = %s AND NOT granted"
            cursor.execute(waits, [self._session])
            return bool(cursor.fetchone()[0])

    def waits_or_is_done(self) -> bool:
        return self.is_waiting() or not self.is_alive()


def take_at_once(mine: Sequence[Event[Any]], others: Sequence[Event[Any]]) -> bool:
    """Handle events in two concurrent transactions."""
    other = OtherWorker(*others)
    with transaction.atomic():
        take(*mine)
        other.start()
        eventually(other.waits_or_is_done)
        has_waited = other.is_alive()
    other.join()
    if other.error:
        raise other.error
    return has_waited


@pytest.fixture
def rule() -> Callable[..., Rule]:
    """Creates the only rule. Both chains exist, and eve is known."""
    Rule.objects.all().delete()
    take(made("created", -9000), made("created", -9000, partition=1))

    def rule(kind: str, **values: object) -> Rule:
        return Rule.objects.create(name=kind, kind=kind, **values)

    return rule


@pytest.mark.parametrize("later", [0, 0.5, -0.5, 9, -9])
def test_deletions_recorded_by_two_workers_are_counted_together(
    rule: Callable[..., Rule], later: float
) -> None:
    """Even if those of the worker that commits last happened first."""
    rule("deletions", threshold=10, window_minutes=30)
    mine = deletions(range(9))
    others = deletions([minute + later for minute in range(9)], partition=1)
    take_at_once(mine, others)
    assert AuditEntry.objects.filter(type="product.deleted").count() == 18
    [alert] = Alert.objects.all()
    assert "eve deleted 1" in alert.text


def test_one_of_two_workers_reports_a_new_actor(rule: Callable[..., Rule]) -> None:
    rule("new_actor")
    take_at_once([made(actor="zoe")], [made(actor="zoe", partition=1)])
    assert [alert.actor for alert in Alert.objects.all()] == ["zoe"]


def test_one_of_two_workers_reports_changes_outside_working_hours(
    rule: Callable[..., Rule],
) -> None:
    rule("hours", from_hour=13, until_hour=20, window_minutes=60)
    take_at_once([made()], [made(minutes=5, partition=1)])
    assert Alert.objects.count() == 1


def test_two_workers_take_turns_for_events_without_an_actor(rule: Callable[..., Rule]) -> None:
    rule("hours", from_hour=13, until_hour=20, window_minutes=60)
    take(made("created", -9000, actor=None))
    Alert.objects.all().delete()
    take_at_once([made(actor=None)], [made(actor=None, partition=1)])
    assert Alert.objects.count() == 1


def test_two_workers_count_events_that_neither_can_judge(rule: Callable[..., Rule]) -> None:
    rule("change", threshold=50, field="price")
    odd: dict[str, Any] = {"data": price("ten", "eleven")}
    take(made(**odd))
    take_at_once([made(**odd)], [made(partition=1, **odd), made(partition=1, **odd)])
    [alert] = Alert.objects.all()
    assert alert.unjudged == 4


@pytest.mark.parametrize("kind", ["change", "new_actor", "deletions"])
def test_workers_do_not_wait_if_nothing_is_counted(rule: Callable[..., Rule], kind: str) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has a single writer
    rule(kind, threshold=50, field="price", window_minutes=10)
    take(made(actor="adam"))
    changed: dict[str, Any] = {"data": price(10, 11)}
    assert not take_at_once([made(**changed)], [made(partition=1, **changed)])
    assert not take_at_once(deletions([0]), deletions([0], partition=1, actor="adam"))


def test_workers_with_the_same_actors_in_another_order_do_not_deadlock(
    rule: Callable[..., Rule],
) -> None:
    rule("deletions", threshold=1000, window_minutes=10)
    names = [f"actor {number}" for number in range(20)]
    for _ in range(5):
        forwards = [made("deleted", actor=name) for name in names]
        backwards = [made("deleted", actor=name, partition=1) for name in reversed(names)]
        first, second = OtherWorker(*forwards), OtherWorker(*backwards)
        first.start()
        second.start()
        first.join()
        second.join()
        assert (first.error, second.error) == (None, None)
    assert KnownActor.objects.filter(name__in=names).count() == 20
