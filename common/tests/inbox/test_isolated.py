"""Isolated handlers: each fails on its own, and has its own line of retries."""

import json
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from common.contracts.product import TOPIC, ProductCreated
from common.tests.app.models import Note
from common.tests.conftest import hopeless, noted, poison, product, written
from eventbus import outbox
from eventbus.events import Event
from eventbus.inbox import Retry, signals, subscribe
from eventbus.inbox.models import InboxMessage, ParkedEvent, ParkedKey
from eventbus.inbox.parking import decisions
from eventbus.inbox.parking.holding import parked_message
from eventbus.inbox.running import health
from eventbus.inbox.running.replay import Replay
from eventbus.inbox.taking.subscriptions import HandlerSubscription, subscription_of, subscriptions
from eventbus.outbox.models import OutboxEvent
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

NAME = "common.tests.inbox.test_isolated.note"


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that show ``NAME`` without a line break in it."""
    monkeypatch.setenv("COLUMNS", "120")


policy = Retry(attempts=2, backoff=10, jitter=False)
bad: set[str] = set()
"""What makes :func:`note` fail, as ``product.version``."""


def note(event: Event[Any]) -> None:
    assert event.sequence is not None
    row = Note.objects.create(subject=event.subject, sequence=event.sequence)
    if str(row) in bad:
        raise ValueError(f"cannot note {row}")


def note_all(events: list[Event[Any]]) -> None:
    for event in events:
        note(event)


@pytest.fixture(params=["one event", "batch"])
def isolated(request: pytest.FixtureRequest, own_handlers: list[HandlerSubscription]) -> str:
    """Subscribes the isolated handler, in both forms; it is called ``NAME``."""
    bad.clear()
    batch = request.param == "batch"
    handler = note_all if batch else note
    subscribe(ProductCreated, batch=batch, isolated=True, retry=policy)(handler)
    return subscriptions[-1].name


def publish(*events: ProductCreated) -> None:
    for event in events:
        outbox.publish(event)


def lines() -> dict[tuple[str, str], tuple[str, list[int | None]]]:
    """The lines: key, handler without its module, state, versions of the waiting events."""
    found = {}
    for key in ParkedKey.objects.exclude(state="clear").order_by("key", "handler"):
        versions = [parked_message(row).event().sequence for row in key.line()]
        found[key.key, key.handler.rpartition(".")[2]] = (key.state, versions)
    return found


def test_it_fails_alone_and_its_events_wait_for_it_alone(bus: Bus, isolated: str) -> None:
    bad.update({"1.2"})
    publish(product(1, 1), product(2, 1), product(1, 2), product(1, 3))
    tally = bus.run()
    publish(product(1, 4), product(2, 2))
    bus.run()
    assert sorted(written()) == ["1.1", "1.2", "1.3", "1.4", "2.1", "2.2"]
    assert sorted(noted()) == ["1.1", "2.1", "2.2"]
    name = isolated.rpartition(".")[2]
    assert lines() == {("1", name): ("retrying", [2, 3, 4])}
    assert (tally.handled, tally.failed, tally.parked) == (4, 1, 2)
    head = ParkedEvent.objects.all()[0]
    assert (head.handler, head.attempts, head.error) == (isolated, 1, "ValueError: cannot note 1.2")
    bad.clear()
    assert bus.travel(seconds=10).handled == 3
    assert noted()[-3:] == ["1.2", "1.3", "1.4"]
    assert len(written()) == 6
    assert lines() == {}
    bus.consume_again()
    assert (len(written()), len(noted())) == (6, 6)


def test_its_retries_run_it_alone_until_it_is_dead(bus: Bus, isolated: str) -> None:
    bad.add("1.1")
    publish(product(1, 1))
    bus.run()
    bus.travel(seconds=10)
    assert ParkedKey.objects.get().state == "dead"
    assert health.dead() == 1
    publish(product(1, 2))
    bus.run()
    assert written() == ["1.1", "1.2"]
    assert noted() == []
    decisions.discard(ParkedEvent.objects.all()[0].pk, "ann", "junk", release=True)
    bus.consume()
    assert noted() == ["1.2"]


def test_what_is_parked_for_the_others_does_not_hold_it_back(
    bus: Bus, isolated: str, heal: Callable[[], None]
) -> None:
    publish(poison(1, 1), product(1, 2))
    bus.run()
    publish(product(1, 3))
    bus.run()
    assert written() == []
    assert noted() == ["1.1", "1.2", "1.3"]
    assert lines() == {("1", ""): ("retrying", [1, 2, 3])}
    heal()
    bus.travel(seconds=10)
    assert written() == noted() == ["1.1", "1.2", "1.3"]


def test_both_lines_of_a_key_go_on_by_themselves(
    bus: Bus, isolated: str, heal: Callable[[], None]
) -> None:
    bad.add("1.1")
    publish(poison(1, 1), product(1, 2))
    bus.run()
    assert written() == noted() == []
    heal()
    decisions.retry_now(ParkedEvent.objects.filter(parked_key__handler="")[0].pk, "ann")
    bus.consume()
    assert (written(), noted()) == (["1.1", "1.2"], [])
    bad.clear()
    bus.retry_parked()
    assert (written(), noted()) == (["1.1", "1.2"], ["1.1", "1.2"])


def test_an_event_for_isolated_handlers_alone(
    bus: Bus, own_handlers: list[HandlerSubscription]
) -> None:
    bad.clear()
    bad.add("1.1")
    own_handlers.clear()
    subscribe(ProductCreated, isolated=True, retry=policy)(note)
    publish(product(1, 1), product(2, 1))
    tally = bus.run()
    assert (tally.handled, tally.failed, tally.parked) == (1, 1, 1)
    assert lines() == {("1", "note"): ("retrying", [1])}


def test_two_isolated_handlers_fail_independently(bus: Bus, isolated: str) -> None:
    bad.add("1.1")
    seen = []

    @subscribe(ProductCreated, isolated=True)
    def look(event: Event[Any]) -> None:
        seen.append(event.sequence)

    publish(product(1, 1), product(1, 2))
    bus.run()
    assert seen == [1, 2]
    assert noted() == []


def test_events_without_a_key_are_parked_each_by_itself(bus: Bus, isolated: str) -> None:
    bad.update({"1.1", "2.1"})
    publish(product(1, 1), product(2, 1))
    for row in OutboxEvent.objects.all():
        value = row.payload.replace(f'"partitionkey":"{row.aggregateid}"', '"partitionkey":null')
        bus.send(TOPIC, value.encode(), key=None)
    assert bus.consume().failed == 2
    bad.clear()
    assert bus.travel(seconds=10).handled == 2
    assert noted() == ["1.1", "2.1"]


def test_signals_name_the_line(bus: Bus, isolated: str, heal: Callable[[], None]) -> None:
    heard = []

    def hear(name: str) -> Callable[..., None]:
        def receive(event: Event[Any], line: str, **_: object) -> None:
            heard.append((name, event.sequence, line))

        return receive

    receivers = {name: hear(name) for name in ("event_handled", "event_failed", "event_parked")}
    for name, receive in receivers.items():
        getattr(signals, name).connect(receive)
    try:
        bad.add("1.1")
        publish(product(1, 1))
        bus.run()
        bad.clear()
        bus.retry_parked()
    finally:
        for name, receive in receivers.items():
            getattr(signals, name).disconnect(receive)
    assert heard == [
        ("event_handled", 1, ""),
        ("event_failed", 1, isolated),
        ("event_parked", 1, isolated),
        ("event_handled", 1, isolated),
    ]


def test_a_handler_that_becomes_isolated_gets_what_was_parked_for_it(
    bus: Bus, own_handlers: list[HandlerSubscription]
) -> None:
    """So that a failing handler can be separated from the others, whose events wait for it."""
    bad.clear()
    bad.update({"1.1", "1.2"})
    subscribe(ProductCreated, retry=policy)(note)
    publish(product(1, 1), product(1, 2))
    bus.run()
    assert written() == noted() == []
    own_handlers.pop()
    subscribe(ProductCreated, isolated=True, retry=policy)(note)
    publish(product(1, 3))
    bus.run()
    assert noted() == []
    bus.travel(seconds=10)
    assert written() == ["1.1", "1.2", "1.3"]
    assert lines() == {("1", "note"): ("retrying", [1, 2, 3])}
    bad.clear()
    bus.retry_parked()
    assert noted() == ["1.1", "1.2", "1.3"]


def test_it_waits_in_the_shared_line_to_the_end_of_that(
    bus: Bus, own_handlers: list[HandlerSubscription], heal: Callable[[], None]
) -> None:
    """Its own line exists by then, but must not overtake its events in the shared one."""
    bad.clear()
    bad.add("1.1")
    subscribe(ProductCreated, retry=policy)(note)
    publish(product(1, 1), hopeless(1, 2))
    bus.run()
    own_handlers.pop()
    subscribe(ProductCreated, isolated=True, retry=policy)(note)
    bus.travel(seconds=10)
    assert lines() == {("1", ""): ("dead", [2]), ("1", "note"): ("retrying", [1])}
    publish(product(1, 3))
    bus.run()
    bad.clear()
    bus.travel(seconds=10)
    assert (written(), noted()) == (["1.1"], ["1.1"])
    heal()
    bus.retry_parked()
    assert written() == noted() == ["1.1", "1.2", "1.3"]


@pytest.mark.parametrize("second", [product, poison])
def test_a_handler_that_is_no_longer_isolated_empties_its_own_line_first(
    bus: Bus,
    own_handlers: list[HandlerSubscription],
    heal: Callable[[], None],
    second: Callable[[int, int], ProductCreated],
) -> None:
    bad.clear()
    bad.add("1.1")
    subscribe(ProductCreated, isolated=True, retry=policy)(note)
    publish(product(1, 1), second(1, 2))
    bus.run()
    own_handlers.pop()
    subscribe(ProductCreated, retry=policy)(note)
    publish(product(1, 3))
    bus.run()
    heal()
    bus.travel(seconds=20)
    assert (written(), noted()) == (["1.1", "1.2", "1.3"], [])
    bad.clear()
    bus.retry_parked()
    publish(product(1, 4))
    bus.run()
    assert written() == noted() == ["1.1", "1.2", "1.3", "1.4"]
    assert ParkedEvent.objects.filter(parked_key__handler=NAME, state="handled").count() == 3


def parked(*words: str) -> str:
    out = StringIO()
    call_command("parked", *words, stdout=out, stderr=out)
    return " ".join(out.getvalue().split())


@pytest.fixture
def renamed(bus: Bus, own_handlers: list[HandlerSubscription]) -> int:
    """An event that waits for a handler that no longer exists. Returns its id."""
    bad.clear()
    bad.add("1.1")
    subscribe(ProductCreated, isolated=True, retry=policy)(note)
    publish(product(1, 1))
    bus.run()
    own_handlers.pop()
    return ParkedEvent.objects.get().pk


def test_events_for_a_removed_handler_remain_and_are_reported(
    bus: Bus, renamed: int, own_handlers: list[HandlerSubscription]
) -> None:
    assert bus.travel(days=1).handled == 0
    publish(product(1, 2))
    bus.run()
    assert written() == ["1.1", "1.2"]
    assert health.dead() == 1
    assert "handler not found" in parked("list")
    [line] = json.loads(parked("list", "--json"))
    assert (line["handler"], line["waiting"]) == (NAME, 1)
    assert f"only {NAME}. Handler not found" in parked("show", str(renamed))
    messages = [m for m in run_checks(databases=["default"]) if m.id == "eventbus_inbox.W002"]
    assert [NAME in message.msg for message in messages] == [True]
    with pytest.raises(CommandError, match="no longer exists: restore the handler's name"):
        parked("retry", str(renamed))
    bad.clear()
    subscribe(ProductCreated, isolated=True)(note)
    assert "1 handled, 0 still parked" in parked("retry", "--all")
    assert noted() == ["1.1"]


def test_retrying_everything_names_what_cannot_be_retried(
    renamed: int, bus: Bus, heal: Callable[[], None]
) -> None:
    publish(poison(2, 1))
    bus.run()
    heal()
    out = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("parked", "retry", "--all", stdout=out, stderr=out)
    assert f"Not retried: 1 events, 1, for {NAME}. Handler not found." in out.getvalue()
    assert "1 handled, 1 still parked" in out.getvalue()


def test_events_for_a_removed_handler_can_be_discarded(renamed: int) -> None:
    parked("discard", str(renamed), "--reason", "the handler is gone")
    assert health.dead() == 0
    assert lines() == {}


def test_a_replay_lets_it_fail_alone(bus: Bus, isolated: str) -> None:
    bad.add("1.1")
    publish(product(1, 1), product(1, 2))
    bus.relay()
    replay = Replay(list(subscriptions), [], [], threading.Event())
    replay.take(bus.kafka.records(TOPIC))
    assert (replay.failed, replay.replayed.total()) == (1, 1)
    assert (written(), noted()) == (["1.1", "1.2"], ["1.2"])
    assert not ParkedKey.objects.exists()


def test_a_dead_event_of_the_others_does_not_hold_it_back(bus: Bus, isolated: str) -> None:
    publish(hopeless(1, 1))
    bus.run()
    bus.consume_again()
    assert lines() == {("1", ""): ("dead", [1])}
    assert noted() == ["1.1"]
    assert InboxMessage.objects.count() == 1


def test_its_subscription_says_so(isolated: str) -> None:
    assert "isolated)" in str(subscription_of(isolated))
