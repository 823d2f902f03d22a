"""The worker's core against a model: whatever happens, nothing is lost, duplicated or reordered.

The model is one list of versions for each product and line: what was published and not discarded,
in order. There are three lines: one shared by the handlers that are not isolated, and those of two
isolated handlers, one for single events and one for batches. Hypothesis generates histories of
publishing, failures, crashes, rebalances, retries, decisions and redeployments that change which
handlers are isolated, and looks for the shortest one that breaks a promise.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import DataObject

from common.contracts.product import TOPIC, ProductCreated
from common.tests.app import handlers
from common.tests.app.models import Note, Written
from common.tests.conftest import hopeless, poison, product
from eventbus import outbox
from eventbus.events import Event
from eventbus.inbox import Retry
from eventbus.inbox.models import ParkedEvent, ParkedKey
from eventbus.inbox.parking import decisions
from eventbus.inbox.parking.holding import parked_message
from eventbus.inbox.running.stream import Stream
from eventbus.inbox.running.worker import Worker
from eventbus.inbox.taking import subscriptions
from eventbus.testing.bus import Bus
from eventbus.testing.kafka import InMemoryKafka

GROUP = "bus_tests"
SHARED, NOTING, NOTING_ALL = LINES = ("write", "note", "note_all")
PRODUCTS = st.integers(1, 3)
MOST_ROUNDS = 200
MAKE = st.sampled_from([product, product, poison, hopeless])


policy = Retry(attempts=2, backoff=10, jitter=False)
cannot_note: set[tuple[str, int]] = set()
"""What makes an isolated handler fail: its name, and a remainder of the version."""


def note(event: Event[Any]) -> None:
    _note(NOTING, event)


def note_all(events: list[Event[Any]]) -> None:
    for event in events:
        _note(NOTING_ALL, event)


def _note(name: str, event: Event[Any]) -> None:
    assert event.sequence is not None
    Note.objects.create(subject=f"{name} {event.subject}", sequence=event.sequence)
    if (name, event.sequence % 3) in cannot_note:
        raise ValueError(f"{name} fails for {event.sequence}")


class CommitsFail:
    """Replaces ``transaction.atomic``: the writes of an isolated handler cannot be committed.

    As with a deferred constraint, the error is raised at the end of the outermost block.
    """

    def __init__(self) -> None:
        self._atomic = transaction.atomic
        self._depth = 0

    @contextmanager
    def __call__(self, *arguments: Any, **options: Any) -> Iterator[None]:
        self._depth += 1
        try:
            with self._atomic(*arguments, **options):
                before = Note.objects.count()
                yield
                if self._depth == 1 and Note.objects.count() > before:
                    raise IntegrityError("deferred")
        finally:
            self._depth -= 1


class Crash(BaseException):
    """The process is killed here."""


class Member(Worker):
    """A worker that runs step by step, and never leaves by itself."""

    def join(self) -> "Member":
        self.stream.join(self.topics)
        return self

    def step(self) -> None:
        self._step()


class History(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.patch = pytest.MonkeyPatch()
        self.broken = set(handlers.broken_prices)
        self.patch.setattr(handlers, "broken_prices", self.broken)
        self.patch.setattr("eventbus.inbox.running.worker.POLL_MS", 0)
        self.patch.setattr("eventbus.inbox.parking.retrying.LOOK_SECONDS", 0)
        self.bus = Bus(InMemoryKafka(**{TOPIC: 2}), GROUP)
        cannot_note.clear()
        self.before = list(subscriptions.subscriptions)
        self.isolated = {NOTING: True, NOTING_ALL: True}
        self._deploy()
        self.published: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.versions: dict[int, int] = defaultdict(int)
        self.sent: list[tuple[bytes | None, bytes | None]] = []
        self.members = [self._member()]

    def _deploy(self) -> None:
        """Subscribe the two handlers of this test, isolated or not."""
        subscriptions.subscriptions[:] = self.before
        for name, handler in ((NOTING, note), (NOTING_ALL, note_all)):
            subscriptions.subscribe(
                ProductCreated,
                batch=name == NOTING_ALL,
                isolated=self.isolated[name],
                retry=policy,
            )(handler)

    def _member(self) -> Member:
        stop = threading.Event()
        stream = Stream(self.bus.kafka.consumer(GROUP), stop)
        return Member(stream, GROUP, [TOPIC], stop, batch_size=4).join()

    @rule(changes=st.lists(st.tuples(PRODUCTS, MAKE), min_size=1, max_size=6))
    def publish(self, changes: list[tuple[int, Callable[[int, int], ProductCreated]]]) -> None:
        for product_id, make in changes:
            self.versions[product_id] += 1
            outbox.publish(make(product_id, self.versions[product_id]))
            for name in LINES:
                self.published[name, product_id].append(self.versions[product_id])
        self.bus.relay()

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def a_message_comes_again(self, data: DataObject) -> None:
        record = data.draw(st.sampled_from(self.bus.kafka.records(TOPIC)))
        self.bus.send(TOPIC, record.value, record.key, record.headers)

    @rule(times=st.integers(1, 5))
    def the_workers_work(self, times: int) -> None:
        for _ in range(times):
            for member in self.members:
                member.step()

    @rule(data=st.data())
    def one_worker_works(self, data: DataObject) -> None:
        data.draw(st.sampled_from(self.members)).step()

    @rule(data=st.data())
    def a_worker_dies_before_it_commits_the_offsets(self, data: DataObject) -> None:
        member = data.draw(st.sampled_from(self.members))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Stream, "commit", self._crash)
            with suppress(Crash):
                member.step()
        self._replace(member)

    @rule(data=st.data())
    def a_worker_dies_in_its_transaction(self, data: DataObject) -> None:
        member = data.draw(st.sampled_from(self.members))
        before = Written.objects.count()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Written.objects, "create", self._crash)
            try:
                member.step()
            except Crash:
                assert Written.objects.count() == before
        self._replace(member)

    @rule()
    def a_worker_joins(self) -> None:
        if len(self.members) < 3:
            self.members.append(self._member())

    @rule(data=st.data())
    def a_worker_leaves(self, data: DataObject) -> None:
        if len(self.members) > 1:
            member = data.draw(st.sampled_from(self.members))
            self.members.remove(member)
            member.stream.leave()

    @rule(price=st.sampled_from([handlers.BROKEN, handlers.HOPELESS]))
    def the_handler_breaks_or_heals(self, price: Decimal) -> None:
        self.broken ^= {price}

    @rule(name=st.sampled_from([NOTING, NOTING_ALL]), remainder=st.integers(0, 2))
    def an_isolated_handler_breaks_or_heals(self, name: str, remainder: int) -> None:
        cannot_note.symmetric_difference_update({(name, remainder)})

    @rule(name=st.sampled_from([NOTING, NOTING_ALL]))
    def a_handler_is_deployed_isolated_or_not(self, name: str) -> None:
        self.isolated[name] = not self.isolated[name]
        self._deploy()

    @rule(data=st.data())
    def commits_fail(self, data: DataObject) -> None:
        """Make the commits of all transactions with an isolated handler fail, for one step."""
        member = data.draw(st.sampled_from(self.members))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "atomic", CommitsFail())
            member.step()

    @rule(seconds=st.sampled_from([60, 10]))
    def time_passes(self, seconds: int) -> None:
        waiting = ParkedKey.objects.filter(next_try_at__isnull=False)
        waiting.update(next_try_at=F("next_try_at") - timedelta(seconds=seconds))

    @precondition(lambda self: ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN).exists())
    @rule(data=st.data())
    def somebody_retries(self, data: DataObject) -> None:
        decisions.retry_now(self._open(data).pk, "ann")

    @precondition(lambda self: ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN).exists())
    @rule(data=st.data(), release=st.booleans())
    def somebody_discards(self, data: DataObject, release: bool) -> None:
        event = self._open(data)
        decisions.discard(event.pk, "ann", "junk", release=release)
        discarded = parked_message(event).event()
        assert discarded.sequence is not None
        for name in self._lines_of(event.parked_key):
            self.published[name, int(discarded.subject)].remove(discarded.sequence)

    @invariant()
    def each_product_is_written_once_and_in_order(self) -> None:
        for line, published in self.published.items():
            written = self._written(*line)
            assert written == published[: len(written)]

    @invariant()
    def what_waits_is_in_line(self) -> None:
        for key in ParkedKey.objects.all():
            states = [event.state for event in key.line()]
            assert bool(states) == (key.state != "clear")
            assert states[1:] == ["behind"] * len(states[1:])

    def teardown(self) -> None:
        try:
            self.broken.clear()
            cannot_note.clear()
            for _ in range(MOST_ROUNDS):
                if not (ParkedKey.objects.exclude(state="clear").exists() or self._unread()):
                    break
                for head in ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN):
                    decisions.retry_now(head.pk, "ann")
                for member in self.members:
                    member.step()
            for line, published in self.published.items():
                assert self._written(*line) == published
        finally:
            self.patch.undo()
            subscriptions.subscriptions[:] = self.before
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def _replace(self, member: Member) -> None:
        self.members.remove(member)
        member.stream.leave()
        self.members.append(self._member())

    def _crash(self, *arguments: object, **values: object) -> None:
        raise Crash

    def _open(self, data: DataObject) -> ParkedEvent:
        line = ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN)
        return data.draw(st.sampled_from(list(line)))

    def _lines_of(self, key: ParkedKey) -> list[str]:
        """The lines of the model whose events wait there."""
        if key.handler:
            return [key.handler.rpartition(".")[2]]
        apart = {name.rpartition(".")[2] for name in key.apart}
        return [name for name in LINES if name not in apart]

    def _written(self, name: str, product_id: int) -> list[int]:
        rows: QuerySet[Any] = Written.objects.filter(subject=str(product_id))
        if name != SHARED:
            rows = Note.objects.filter(subject=f"{name} {product_id}")
        return list(rows.order_by("id").values_list("sequence", flat=True))

    def _unread(self) -> bool:
        group = self.bus.kafka.groups[GROUP]
        logs = self.bus.kafka.logs.items()
        return any(group.committed.get(partition, 0) < len(log) for partition, log in logs)


@pytest.mark.django_db
def test_no_history_breaks_a_promise() -> None:
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
