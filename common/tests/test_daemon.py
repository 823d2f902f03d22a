"""The loop that relay, worker and deliverer share: stopping, waiting, saying so once, reporting."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import structlog
from django.db import connection, transaction
from django.db.utils import OperationalError, ProgrammingError
from hypothesis import given
from hypothesis import strategies as st

from eventbus.database.waking import NOTIFY_SECONDS, wait_for_rows, wake_after_commit
from eventbus.running import daemon
from eventbus.running.daemon import Daemon, Outage, Report
from eventbus.testing.eventually import eventually

BEGIN = "waiting for the database"
END = "going on"


@pytest.fixture(autouse=True, scope="module")
def no_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "LONGEST_PAUSE_SECONDS", 0)
        yield


def run(attempts: list[bool]) -> tuple[list[str], int]:
    """Run one step for each attempt, which succeeds or not.

    :returns: what was logged, and how often the daemon recovered.
    """
    left = list(attempts)
    recovered = []

    def step() -> None:
        if not left.pop(0):
            raise OperationalError(f"server closed\nthe connection, attempt {len(left)}")

    with structlog.testing.capture_logs() as logs:
        Daemon(
            threading.Event(), step, recover=lambda: recovered.append(1), until=lambda: not left
        ).run()
    assert not left
    return [line["event"] for line in logs], len(recovered)


@given(st.lists(st.booleans(), max_size=12))
def test_each_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    attempts: list[bool],
) -> None:
    expected = []
    for before, now in zip([True, *attempts], attempts, strict=False):
        if before and not now:
            expected.append(BEGIN)
        if now and not before:
            expected.append(END)
    assert run(attempts) == (expected, attempts.count(False))


def test_the_reason_is_one_line_and_the_end_says_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = iter([100.0, 103.25])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    outage = Outage("Kafka", threading.Event())
    with structlog.testing.capture_logs() as logs:
        outage.note("refused\n\tby all")
        outage.note("refused by one")
        outage.end()
        outage.end()
    assert logs == [
        {"event": "waiting for Kafka", "log_level": "warning", "reason": "refused by all"},
        {"event": END, "log_level": "info", "waited_for": "Kafka", "seconds": 3.2},
    ]


class Clock(threading.Event):
    """Notes how long it was waited for, and lets no time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set()


def test_pauses_grow_up_to_a_limit_and_are_short_again_in_the_next_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemon, "LONGEST_PAUSE_SECONDS", 1.0)
    clock = Clock()
    outage = Outage("Kafka", clock)
    for _ in range(6):
        outage.wait("away")
    assert clock.waits == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    outage.end()
    outage.wait("away again")
    assert clock.waits[-1] == 0.1


def test_a_stop_cuts_the_wait_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "FIRST_PAUSE_SECONDS", 600)
    monkeypatch.setattr(daemon, "LONGEST_PAUSE_SECONDS", 600)
    stop = threading.Event()
    steps = []

    def step() -> None:
        steps.append(1)
        raise OperationalError("away")

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(Daemon(stop, step, recover=lambda: None).run)
        eventually(lambda: steps)
        stop.set()
        running.result(timeout=30)
    assert steps == [1]


def test_it_recovers_before_it_waits() -> None:
    """The pause may be long, and a broken session is in somebody's way meanwhile."""
    order = []

    class Pausing(Clock):
        def wait(self, timeout: float | None = None) -> bool:
            order.append("waited")
            self.set()
            return True

    def step() -> None:
        raise OperationalError("away")

    Daemon(Pausing(), step, recover=lambda: order.append("recovered")).run()
    assert order == ["recovered", "waited"]


def test_what_waiting_does_not_heal_ends_it() -> None:
    def step() -> None:
        raise ProgrammingError("no such table")

    with pytest.raises(ProgrammingError):
        Daemon(threading.Event(), step).run()


def test_a_report_is_one_line_a_second_and_loses_no_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    report = Report("relayed", "events")
    with structlog.testing.capture_logs() as logs:
        for now in (100.0, 100.1, 100.9, 101.5, 101.6):  # noqa: B007
            report.add(2)
        report.add()
        report.flush()
        report.flush()
    assert [line["events"] for line in logs] == [2, 6, 2]


def forever() -> threading.Event:
    return threading.Event()


@pytest.mark.django_db(transaction=True)
def test_a_commit_wakes_who_waits_and_nobody_waits_for_rows_that_are_there() -> None:
    if connection.vendor != "postgresql":
        stop = threading.Event()
        stop.set()
        wait_for_rows(connection, "rows", lambda: False, stop)
        return
    listening = threading.Event()

    def wait() -> float:
        with closing(connection.copy()) as own:
            started = time.monotonic()
            wait_for_rows(own, "rows", listening.set, forever())
            return time.monotonic() - started

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert listening.wait(30)
        with transaction.atomic():
            wake_after_commit(connection, "other_rows")
            wake_after_commit(connection, "rows")
            wake_after_commit(connection, "rows")
            assert len(connection.run_on_commit) == 2
        assert waiting.result(timeout=30) < NOTIFY_SECONDS
    started = time.monotonic()
    wait_for_rows(connection, "rows", lambda: True, forever())
    assert time.monotonic() - started < NOTIFY_SECONDS
