"""Decisions about parked events, through the functions and from the shell."""

import json
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from common.tests.app.models import Written
from common.tests.conftest import hopeless, poison, product, written
from eventbus import outbox
from eventbus.inbox.models import ParkedDecision, ParkedEvent, ParkedKey
from eventbus.inbox.parking import decisions
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(bus: Bus) -> list[int]:
    """Three parked events of one key; the first of them is dead."""
    for event in (hopeless(1, 1), product(1, 2), product(1, 3)):
        outbox.publish(event)
    bus.run()
    return list(ParkedEvent.objects.values_list("id", flat=True))


def decided() -> list[tuple[int | None, str, str, str]]:
    return list(ParkedDecision.objects.values_list("event_id", "action", "by", "reason"))


def parked(*words: str) -> str:
    out = StringIO()
    call_command("parked", *words, stdout=out)
    return out.getvalue()


def test_discarding_leaves_later_events_to_a_person(bus: Bus, line: list[int]) -> None:
    decisions.discard(line[0], "ann", "a test order")
    assert bus.travel(days=1).handled == 0
    assert ParkedKey.objects.get().state == "dead"
    decisions.retry_now(line[1], "bob")
    assert bus.consume().handled == 2
    assert written() == ["1.2", "1.3"]
    assert ParkedKey.objects.get().state == "clear"
    assert decided() == [
        (line[0], "discard", "ann", "a test order"),
        (line[1], "retry", "bob", ""),
    ]


def test_discarding_a_retrying_event_leaves_later_events_to_a_person_too(
    bus: Bus, heal: Callable[[], None]
) -> None:
    for event in (poison(1, 1), product(1, 2)):
        outbox.publish(event)
    bus.run()
    decisions.discard(ParkedEvent.objects.all()[0].pk, "ann", "junk")
    heal()
    assert bus.travel(days=1).handled == 0


def test_discarding_can_release_the_followers(bus: Bus, line: list[int]) -> None:
    decisions.discard(line[0], "ann", "a test order", release=True)
    assert bus.consume().handled == 2
    assert written() == ["1.2", "1.3"]
    assert bus.consume_again().handled == 0


def test_discarding_a_follower_moves_nobody(bus: Bus, line: list[int]) -> None:
    decisions.discard(line[1], "ann", "a test order", release=True)
    assert bus.travel(days=1).handled == 0
    assert ParkedKey.objects.get().state == "dead"


def test_discarding_the_only_one_clears_its_key(bus: Bus) -> None:
    outbox.publish(hopeless(1, 1))
    bus.run()
    decisions.discard(ParkedEvent.objects.get().pk, "ann", "junk")
    outbox.publish(product(1, 2))
    assert bus.run().handled == 1


@pytest.mark.parametrize("decide", [decisions.retry_now, decisions.discard])
def test_only_waiting_events_can_be_decided_about(
    bus: Bus, line: list[int], decide: Callable[[int, str, str], object]
) -> None:
    decisions.discard(line[0], "ann", "junk")
    with pytest.raises(decisions.NotOpen, match="already handled or discarded"):
        decide(line[0], "bob", "again")
    with pytest.raises(decisions.NotOpen, match="no parked event 12345"):
        decide(12345, "bob", "again")


def test_a_reason_must_say_something(line: list[int]) -> None:
    with pytest.raises(ValueError, match="reason"):
        decisions.discard(line[0], "ann", "  ")
    assert decided() == []


def test_the_list_says_who_waits_and_for_what(bus: Bus, line: list[int]) -> None:
    outbox.publish(poison(2, 1))
    bus.run()
    shown = parked("list")
    assert "Parked events: 4" in shown
    assert "needs a decision" in shown
    assert "LookupError" in shown
    listed = json.loads(parked("list", "--json"))
    assert [(key["key"], key["waiting"], key["state"]) for key in listed] == [
        ("1", 3, "dead"),
        ("2", 1, "retrying"),
    ]
    assert len(json.loads(parked("list", "--dead", "--json"))) == 1


def test_brackets_in_an_error_are_shown_as_they_are(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**values: object) -> None:
        raise ValueError("[/x]\ny")

    monkeypatch.setattr(Written.objects, "create", fail)
    outbox.publish(product(1, 1))
    bus.run()
    [event] = ParkedEvent.objects.all()
    assert "ValueError: [/x] y" in parked("list")
    assert "ValueError: [/x]" in parked("show", str(event.pk))


def test_an_empty_list_says_so() -> None:
    assert parked("list") == "Nothing is parked.\n"


def test_an_event_is_shown_in_full(line: list[int]) -> None:
    decisions.retry_now(line[0], "ann", "the shop is fixed")
    shown = parked("show", str(line[0]))
    for part in ('"name": "Kettle"', "broken price", "Traceback", "product.events/"):
        assert part in shown
    assert "by ann: the shop is fixed" in " ".join(shown.split())


def test_events_are_retried_here_and_the_exit_code_shows_the_result(
    line: list[int], heal: Callable[[], None]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        parked("retry", "--all", "--reason", "try")
    assert written() == []
    heal()
    assert "3 handled, 0 still parked" in parked("retry", str(line[0]), "--by", "ann")
    assert written() == ["1.1", "1.2", "1.3"]
    assert [action for _, action, _, _ in decided()] == ["retry", "retry"]


def test_events_are_discarded_with_a_reason(line: list[int]) -> None:
    shown = parked("discard", str(line[0]), "--release", "--reason", "junk", "--by", "ann")
    assert "discarded" in shown
    assert decided() == [(line[0], "release", "ann", "junk")]


@pytest.mark.parametrize(
    "words",
    [
        ["show", "99"],
        ["retry"],
        ["retry", "99"],
        ["discard", "99", "--reason", "junk"],
        ["discard", "99"],
        ["discard", "99", "--reason", " "],
        [],
    ],
)
def test_an_error_is_one_line(words: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        parked(*words)
    assert len(str(refused.value).splitlines()) == 1
