"""Triggers see what other programs write, and many sessions that write at once."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models import F

from common.tests.capture.conftest import data, envelopes, told
from common.tests.capture.histories import check
from common.tests.capture.triggered import events
from common.tests.capture.triggered.models import Item, Piece
from eventbus.capture.trigger import origin
from eventbus.events.context import Context, use
from eventbus.outbox.models import LastSequence, OutboxEvent
from eventbus.outbox.publishing import CHANNEL

pytestmark = pytest.mark.django_db(transaction=True)
postgresql = pytest.mark.only_on("postgresql")
sqlite = pytest.mark.only_on("sqlite")


def item(sku: str = "A", **fields: Any) -> Item:
    return Item.objects.create(sku=sku, name="Kettle", **fields)


@pytest.fixture
def program() -> Iterator[Any]:
    """A session of a program without Django."""
    import psycopg

    parameters = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    found = {name: parameters[name] for name in names if name in parameters}
    with psycopg.connect(**found, autocommit=True) as session:
        yield session


@postgresql
def test_another_program_is_captured(program: Any) -> None:
    kettle = item()
    with program.transaction():
        program.execute("UPDATE triggered_item SET amount = 1")
        program.execute("UPDATE triggered_item SET amount = 2")
    program.execute("DELETE FROM triggered_item")
    assert [entry[:3] for entry in told()] == [
        ("created", str(kettle.pk), 1),
        ("updated", str(kettle.pk), 2),
        ("updated", str(kettle.pk), 3),
        ("deleted", str(kettle.pk), 4),
    ]
    _, *others = envelopes()
    assert {envelope.actor for envelope in others} == {"database:postgres"}
    first, second, third = (envelope.correlationid for envelope in others)
    assert first == second != third


@postgresql
def test_a_program_needs_no_right_to_the_outbox(program: Any) -> None:
    item()
    program.execute("CREATE ROLE eventbus_clerk")
    try:
        program.execute("GRANT SELECT, UPDATE ON triggered_item TO eventbus_clerk")
        program.execute("SET ROLE eventbus_clerk")
        program.execute("SET search_path = pg_catalog")
        program.execute("UPDATE public.triggered_item SET amount = 7")
        program.execute("RESET ROLE")
    finally:
        program.execute("DROP OWNED BY eventbus_clerk; DROP ROLE eventbus_clerk")
    assert data(envelopes()[-1])["amount"] == 7


@postgresql
def test_the_origin_ends_with_the_transaction(program: Any) -> None:
    with use(Context("c-1", lambda: "somebody")):
        item()
        Item.objects.update(amount=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('eventbus.context', true)")
        assert not cursor.fetchone()[0]


@postgresql
def test_the_relay_is_woken_after_the_commit(program: Any) -> None:
    program.execute(f"LISTEN {CHANNEL}")
    with transaction.atomic():
        item()
        assert list(program.notifies(timeout=0.05)) == []
    assert len(list(program.notifies(timeout=5, stop_after=1))) == 1
    Item.objects.update(amount=1)
    assert len(list(program.notifies(timeout=5, stop_after=1))) == 1


@postgresql
def test_statements_that_are_bound_by_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = "the origin and the statement in one round trip"
    monkeypatch.setattr(origin, "_pass_with", lambda *_: pytest.fail(refuse))
    connection.close()
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "server_side_binding", True)
    monkeypatch.setattr(connection.features, "uses_server_side_binding", True)
    try:
        with use(Context("c-1", lambda: "100%")):
            kettle = item()
            assert Item.objects.filter(pk=kettle.pk).update(amount=1) == 1
    finally:
        connection.close()
    assert {(envelope.correlationid, envelope.actor) for envelope in envelopes()} == {
        ("c-1", "100%")
    }


def _at_once(*works: Callable[[], Any]) -> None:
    """Run each in a thread of its own, with a connection of its own; all begin together."""
    ready = threading.Barrier(len(works))
    failed: list[BaseException] = []

    def run(work: Callable[[], Any]) -> None:
        try:
            ready.wait(10)
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed, failed


@postgresql
@pytest.mark.parametrize("model", [Item, Piece])
def test_threads_that_change_the_same_rows(model: Any) -> None:
    publication = events.Items if model is Item else events.Pieces
    model.objects.bulk_create(model(sku=f"S{n}", name="x") for n in range(5))

    def each() -> None:
        for number in range(20):
            model.objects.filter(sku=f"S{number % 5}").update(amount=F("amount") + 1)

    def saved() -> None:
        for number in range(20):
            found = model.objects.get(sku=f"S{1 + number % 4}")
            found.name = f"{found.name}x"
            found.save()

    def anew() -> None:
        for _ in range(10):
            with transaction.atomic():
                key = model.objects.filter(sku="S0").values_list("pk", flat=True).first()
                model.objects.filter(sku="S0").delete()
            if key is not None:
                model.objects.bulk_create(
                    [model(pk=key, sku="S0", name="y")], ignore_conflicts=True
                )

    _at_once(each, each, saved, anew, anew)
    check(publication)
    assert OutboxEvent.objects.count() > 5 + 20


@postgresql
@pytest.mark.parametrize("model", [Item, Piece])
def test_a_key_that_is_deleted_and_inserted_at_once_goes_on_counting(model: Any) -> None:
    """The insert waits for the deletion, which alone knows the last sequence."""
    key = model.objects.create(sku="A", name="x").pk
    deleted = threading.Event()

    def delete() -> None:
        with transaction.atomic():
            model.objects.filter(sku="A").delete()
            deleted.set()
            _wait_for_a_lock()

    def insert() -> None:
        deleted.wait(10)
        model.objects.create(pk=key, sku="A", name="y")

    _at_once(delete, insert)
    check(events.Items, events.Pieces)
    assert [entry[2] for entry in told()] == [1, 2, 3]


def _wait_for_a_lock() -> None:
    """Until another session waits for this one."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody waits")


@sqlite
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE triggered_item SET amount = 1",
        "DELETE FROM triggered_item",
        "INSERT INTO triggered_item (sku, name, price, amount, secret, version, changed_at) "
        "VALUES ('B', 'x', 0, 0, '', 1, '')",
    ],
)
def test_a_program_without_the_functions_is_refused(tmp_path: Any, change: str) -> None:
    item()
    with sqlite3.connect(tmp_path / "other.sqlite3") as other:
        connection.connection.backup(other)
        other.execute("DELETE FROM triggered_tag")  # is not published
        with pytest.raises(sqlite3.OperationalError, match="no such function: eventbus_"):
            other.execute(change)


def test_a_database_is_emptied_as_before() -> None:
    item()
    call_command("flush", interactive=False, verbosity=0)
    assert not Item.objects.exists()
    assert not OutboxEvent.objects.exists()
    assert not LastSequence.objects.exists()
    kettle = item()
    assert [entry[:3] for entry in told()] == [("created", str(kettle.pk), 1)]
