"""Only the relay that holds the lock sends and marks, whatever happens to its session."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from common.tests.conftest import product
from eventbus import outbox
from eventbus.kafka.clients import Future
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.relaying.lock import FileLock, LockLost
from eventbus.outbox.relaying.relay import Relay
from eventbus.outbox.relaying.session import ActiveSession
from eventbus.testing.bus import Bus, CallersThread, active_session
from eventbus.testing.kafka import InMemoryKafka, InMemoryProducer

pytestmark = pytest.mark.django_db(transaction=True)

BLOCKED = """
SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
HOLDER = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""
SECONDS = 20


def publish(*numbers: int) -> None:
    with transaction.atomic():
        outbox.publish_all(product(number) for number in numbers)


def relayed_long_ago(*numbers: int) -> None:
    publish(*numbers)
    rows = OutboxEvent.objects.filter(aggregateid__in=map(str, numbers))
    rows.update(published_at=timezone.now() - timedelta(days=40))


def waiting() -> list[str]:
    rows = OutboxEvent.objects.filter(published_at__isnull=True)
    return list(rows.values_list("aggregateid", flat=True))


def eventually(answer: Callable[[], Any]) -> Any:
    """Poll until there is a result: the database offers no event to wait for."""
    deadline = time.monotonic() + SECONDS
    while not (found := answer()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def number(statement: str) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
        return row[0] if row else None


class Named(InMemoryProducer):
    """Records which relay sent what."""

    def __init__(self, kafka: InMemoryKafka, name: str, sent: list[tuple[str, str]]) -> None:
        super().__init__(kafka)
        self._name, self._sent = name, sent

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> Future:
        assert key is not None
        self._sent.append((self._name, key.decode()))
        return super().send(topic, value, key, headers)


@contextmanager
def running(*relays: str, kafka: InMemoryKafka, sent: list[tuple[str, str]]) -> Iterator[None]:
    """Relays in threads, each with its own database session."""
    stop = threading.Event()
    databases = [ThreadPoolExecutor(1) for _ in relays]
    threads = [
        threading.Thread(target=Relay(partial(Named, kafka, name, sent), database, stop).run)
        for name, database in zip(relays, databases, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread, database in zip(threads, databases, strict=True):
            thread.join()
            database.submit(connections.close_all).result()
            database.shutdown()


def lock_rows() -> Any:
    """Lock all rows of the outbox from another session, until the returned connection is closed."""
    holder = connection.copy()
    with holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT position FROM eventbus_outbox_outboxevent FOR UPDATE")
    return holder


def test_a_session_that_dies_while_pruning_leaves_one_relay_that_sends(bus: Bus) -> None:
    if connection.vendor != "postgresql":
        return  # on SQLite, no session can die
    relayed_long_ago(1)
    sent: list[tuple[str, str]] = []
    with closing(lock_rows()) as locked, running("first", "second", kafka=bus.kafka, sent=sent):
        pruning = eventually(lambda: number(BLOCKED))
        assert pruning == number(HOLDER)
        number(f"SELECT pg_terminate_backend({pruning}, 10000)::int")
        locked.close()
        assert eventually(lambda: number(HOLDER)) != pruning
        for key in range(100, 130):
            publish(key)
            eventually(lambda: not waiting())
    assert Counter(key for _, key in sent) == {str(key): 1 for key in range(100, 130)}
    assert len({name for name, _ in sent}) == 1


class Losing(InMemoryProducer):
    """Loses the relay's session while Kafka is processing a batch."""

    def __init__(self, kafka: InMemoryKafka, sent: list[str], lose: Callable[[], None]) -> None:
        super().__init__(kafka)
        self._sent, self._lose = sent, lose

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> Future:
        assert key is not None
        self._sent.append(key.decode())
        return super().send(topic, value, key, headers)

    def flush(self, timeout: float | None = None) -> None:
        self._lose()
        super().flush(timeout=0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Any]:
    """A database whose session can be lost, unlike SQLite's in-memory database."""
    if connection.vendor == "postgresql":
        yield connections["default"]
        return
    in_memory = connections["default"]
    on_disk = type(in_memory)({**in_memory.settings_dict, "NAME": str(tmp_path / "db")}, "default")
    connections["default"] = on_disk
    with on_disk.schema_editor() as editor:
        editor.create_model(OutboxEvent)
    yield on_disk
    on_disk.close()
    connections["default"] = in_memory


def test_a_relay_that_lost_its_session_while_sending_sends_no_further_batch(
    database: BaseDatabaseWrapper, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.outbox.relaying.session.BATCH", 1)
    publish(1, 2, 3)
    sent: list[str] = []
    relay = Relay(
        lambda: Losing(bus.kafka, sent, database.close), CallersThread(), threading.Event()
    )
    with active_session() as session, pytest.raises(LockLost):
        relay.relay_waiting(session)
    assert sent == ["1"]
    assert waiting() == ["1", "2", "3"]


def test_a_relay_that_lost_its_session_stops_waiting_for_kafka(
    database: BaseDatabaseWrapper, bus: Bus
) -> None:
    publish(1)
    bus.kafka.stop()

    class Hanging(InMemoryProducer):
        def flush(self, timeout: float | None = None) -> None:
            database.close()
            super().flush(timeout=0)

    relay = Relay(lambda: Hanging(bus.kafka), CallersThread(), threading.Event())
    with active_session() as session, pytest.raises(LockLost):
        relay.relay_waiting(session)


OPERATIONS = {
    "confirm": lambda session: session.confirm(),
    "read": lambda session: session.read(),
    "mark": lambda session: session.mark([1]),
    "prune": lambda session: session.prune(),
    "wait": lambda session: session.wait_for_more(threading.Event()),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_dead_session_stays_dead(
    database: BaseDatabaseWrapper, operation: Callable[[ActiveSession], object]
) -> None:
    publish(1)
    session = ActiveSession.begin()
    assert session is not None
    database.close()
    for _ in range(2):
        with pytest.raises(LockLost):
            operation(session)
        database.ensure_connection()  # as any other code in this thread would
    session.end()
    another = eventually(ActiveSession.begin)  # PostgreSQL may still be ending the first session
    operation(another)
    another.end()


def test_a_session_that_dies_between_two_statements_runs_no_further_one(
    database: BaseDatabaseWrapper,
) -> None:
    relayed_long_ago(1)
    with active_session() as session:
        delete_piece = session._pruner._delete_piece

        def die_first(*arguments: Any) -> int:
            database.close()
            return delete_piece(*arguments)

        session._pruner._delete_piece = die_first
        session.prune()
        with pytest.raises(LockLost):
            session.prune()
    assert OutboxEvent.objects.count() == 1


def test_a_second_session_has_to_wait_for_the_first(database: BaseDatabaseWrapper) -> None:
    with active_session(), ThreadPoolExecutor(1) as other:
        assert other.submit(begin_elsewhere, database).result() is None
    with ThreadPoolExecutor(1) as other:
        assert other.submit(begin_elsewhere, database).result() is not None


def begin_elsewhere(database: Any) -> ActiveSession | None:
    connections["default"] = own = database.copy()
    try:
        return ActiveSession.begin()
    finally:
        own.close()


def test_a_forked_child_neither_relays_nor_keeps_the_lock(tmp_path: Path) -> None:
    """The open file, and with it the lock, would live on in a child that outlives the relay."""
    path = str(tmp_path / "lock")
    lock = FileLock.take(path)
    assert lock is not None
    with active_session() as session:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:  # must not return into pytest
            refused = [is_refused(session.confirm), is_refused(lock.check)]
            os.close(writing)
            os.read(reading, 1)
            os._exit(0 if all(refused) else 1)
        os.close(reading)
        lock.check()
        lock.release()
        assert eventually(lambda: FileLock.take(path))  # while the child lives
        os.close(writing)
        assert os.waitpid(child, 0)[1] == 0
        session.confirm()


def is_refused(operation: Callable[[], None]) -> bool:
    try:
        operation()
    except LockLost:
        return True
    return False


def test_a_relay_that_is_stopped_gives_the_lock_back_at_once(
    database: BaseDatabaseWrapper, bus: Bus
) -> None:
    publish(1)
    stop = threading.Event()
    Relay(lambda: Busy(bus.kafka, stop.set), CallersThread(), stop).run()
    assert database.connection is not None  # its end is not what gave the lock back
    with ThreadPoolExecutor(1) as other:
        assert other.submit(begin_elsewhere, database).result() is not None


def remove(path: str) -> None:
    os.remove(path)


def replace(path: str) -> None:
    with open(f"{path}.new", "w"):
        pass
    os.replace(f"{path}.new", path)


@pytest.mark.parametrize("change", [remove, replace])
def test_a_lock_file_that_is_no_longer_there_is_no_lock(
    tmp_path: Path, change: Callable[[str], None]
) -> None:
    path = str(tmp_path / "lock")
    first = FileLock.take(path)
    assert first is not None
    assert FileLock.take(path) is None
    change(path)
    with pytest.raises(LockLost, match="no longer the locked file"):
        first.check()
    second = FileLock.take(path)
    assert second is not None
    second.check()
    first.release()
    second.check()


class Busy(InMemoryProducer):
    """While it sends, one more event is published, so that some are always waiting."""

    def __init__(self, kafka: InMemoryKafka, on_flush: Callable[[], None]) -> None:
        super().__init__(kafka)
        self._on_flush = on_flush

    def flush(self, timeout: float | None = None) -> None:
        super().flush(timeout)
        self._on_flush()


def test_pruning_gets_its_turn_while_rows_keep_coming(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.database.pruning.PIECE", 1)
    monkeypatch.setattr("eventbus.outbox.relaying.session.BATCH", 1)
    relayed_long_ago(1, 2, 3)
    publish(98, 99)
    stop = threading.Event()
    left = []

    def publish_another() -> None:
        left.append(OutboxEvent.objects.filter(aggregateid__in=["1", "2", "3"]).count())
        publish(100 + len(left))
        if len(left) == 4:
            stop.set()

    relay = Relay(lambda: Busy(bus.kafka, publish_another), CallersThread(), stop)
    with active_session() as session:
        relay.relay_waiting(session)
    assert waiting() != []
    assert left == [2, 1, 0, 0]  # one piece per batch
