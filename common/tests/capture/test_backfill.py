"""Snapshots of all rows, published once by the relay after ``snapshot_version`` was raised."""

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries
from structlog.testing import capture_logs

from common.tests.capture.saved.events import Wares
from common.tests.capture.saved.models import Ware
from eventbus.capture import registry
from eventbus.capture.models import SnapshotRun
from eventbus.capture.snapshotting import backfill
from eventbus.capture.snapshotting.backfill import Backfill
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.relaying import chores
from eventbus.outbox.relaying.chores import Chores

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]


def raise_version(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """As after a deploy of a declaration with this ``snapshot_version``."""
    declared = replace(Wares, snapshot_version=version)
    monkeypatch.setattr(registry, "_publications", {Ware: declared})


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subjects of five rows, all of whose events are gone."""
    monkeypatch.setattr(backfill, "BATCH", 2)
    made = Ware.objects.bulk_create(Ware(sku=f"S{n}", name=f"N{n}", price=n) for n in range(5))
    OutboxEvent.objects.all().delete()
    return [str(row.pk) for row in made]


def published() -> list[str]:
    """The subjects of the snapshots."""
    events = OutboxEvent.objects.filter(type__endswith=".snapshot").order_by("position")
    return [row.aggregateid for row in events]


def work_off(backfill: Backfill) -> int:
    """Do the chore to its end, and count the pieces."""
    pieces = 0
    while backfill():
        pieces += 1
    return pieces


def test_each_row_is_published_once_in_pieces(
    rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_version(monkeypatch, 1)
    assert work_off(Backfill()) == 3
    assert published() == rows
    run = SnapshotRun.objects.get()
    assert (run.version, run.published, run.finished_at is not None) == (1, 5, True)
    assert work_off(Backfill()) == 0
    raise_version(monkeypatch, 2)
    assert work_off(Backfill()) == 3
    assert published() == rows * 2


def test_a_relay_that_is_killed_goes_on_where_it_was(
    rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_version(monkeypatch, 1)
    assert Backfill()()
    assert published() == rows[:2]
    assert work_off(Backfill()) == 2
    assert published() == rows


def test_a_version_raised_meanwhile_begins_again(
    rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_version(monkeypatch, 1)
    assert Backfill()()
    raise_version(monkeypatch, 2)
    work_off(Backfill())
    assert published() == [*rows[:2], *rows]


def test_without_a_version_nothing_is_asked_of_the_database_again(
    rows: list[str],
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    raise_version(monkeypatch, 0)
    idle = Backfill()
    assert not idle()
    with django_assert_num_queries(0):
        assert not idle()


def test_a_chore_that_fails_is_logged_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []

    def fail() -> bool:
        raise ValueError("no such thing")

    def work_on() -> bool:
        done.append(1)
        return True

    monkeypatch.setattr(chores, "_chores", {fail: "x", work_on: "y"})
    work = Chores()
    with capture_logs() as logs:
        assert work.do_one()
        assert work.do_one()
    assert done == [1, 1]
    assert [line["event"] for line in logs] == ["a chore of the relay failed"]
