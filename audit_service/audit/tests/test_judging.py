"""No event keeps a rule from reporting another, and a rule that cannot judge says so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
from django.utils import timezone as clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from audit_service.audit.handlers import record, watch
from audit_service.audit.models import Alert, AuditEntry, Rule
from audit_service.audit.security.unjudged import MOST
from audit_service.audit.tests.made import deletions, made, price, take
from audit_service.audit.tests.test_keeping import undone
from eventbus.events import Contract, Event

pytestmark = pytest.mark.django_db

DOTNET_UNSET = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-1)))


@pytest.fixture
def only() -> Callable[..., None]:
    def only(kind: str, **values: object) -> None:
        Rule.objects.exclude(kind=kind).update(is_active=False)
        Rule.objects.filter(kind=kind).update(is_active=True, **values)

    return only


def found() -> list[tuple[str, str]]:
    return [(alert.event_id, alert.text) for alert in Alert.objects.filter(unjudged=0)]


def unjudged() -> list[Alert]:
    return list(Alert.objects.filter(unjudged__gt=0).order_by("id"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"raw": None}, "its data is not an object"),
        ({"raw": b'{"price": "1.00", "previous"'}, "its data cannot be read"),
        ({"data": "previous"}, "its data is not an object"),
        ({"data": {"price": "90.00"}}, "it has no previous value of price"),
        ({"data": {"price": "90.00", "previous": ["price"]}}, "its 'previous' is not an object"),
        (
            {"data": {"previous": {"price": "1.00"}}},
            "it has a previous value of price, but no current one",
        ),
        ({"data": price("ten", "1.00")}, "the old price is not a number"),
        ({"data": price(None, "1.00")}, "the old price is not a number"),
        ({"data": price(True, "1.00")}, "the old price is not a number"),
        ({"data": price("NaN", "1.00")}, "the old price is not a finite number"),
        ({"data": price("1.00", "-Infinity")}, "the new price is not a finite number"),
        ({"data": price("1.00", "1e999999")}, "the new price has more than 30 digits"),
        ({"data": price(10**400, 1)}, "the old price has more than 30 digits"),
        (
            {"raw": b'{"price": 1, "previous": {"price": 1%s}}' % (b"0" * 5000)},
            "the old price has more than 30 digits",
        ),
        ({"data": {"price": {}, "previous": {"price": []}}}, "the old price is not a number"),
    ],
)
def test_an_event_that_cannot_be_judged_is_an_alert_and_hides_no_other(
    only: Callable[..., None], data: dict[str, Any], why: str
) -> None:
    only("change", threshold=50)
    before, odd, behind = made(data=price(10, 90)), made(**data), made(data=price(10, 80))
    take(before, odd, behind)
    assert found() == [
        (behind.id, "price changed by +700 %, from 10 to 80"),
        (before.id, "price changed by +800 %, from 10 to 90"),
    ]
    [blind] = unjudged()
    assert (blind.event_id, blind.event_type, blind.actor) == (odd.id, "product.updated", "eve")
    assert blind.text.startswith(f"Could not judge product.updated {odd.id}: ")
    assert why in blind.text


@pytest.mark.parametrize(
    "event",
    [
        {"verb": "created", "data": {"price": "9.00"}},
        {"verb": "deleted"},
        {"type": "photo.taken", "raw": b"\xff\xd8"},
        {"data": {"name": "Pan", "previous": {"name": "Pot"}}},
        {"data": {"total": 7}},
    ],
)
def test_events_without_a_change_raise_no_alert(
    only: Callable[..., None], event: dict[str, Any]
) -> None:
    only("change", threshold=50)
    take(made(**event))
    assert not Alert.objects.exists()


def test_a_change_is_found_however_its_json_is_escaped(only: Callable[..., None]) -> None:
    only("change", threshold=50)
    take(made("changed", raw=b'{"pr\\u0069ce": 90, "previ\\u006fus": {"price": 10}}'))
    assert [text for _, text in found()] == ["price changed by +800 %, from 10 to 90"]


@pytest.mark.parametrize("time", [DOTNET_UNSET, LAST])
def test_an_unusable_time_hides_no_deletion(only: Callable[..., None], time: datetime) -> None:
    only("deletions", threshold=3, window_minutes=10)
    odd = made("deleted", time=time)
    normal = deletions((0, 1, 2))
    record(normal)
    watch([*normal, odd])
    assert [text for _, text in found()] == ["eve deleted 3 items within 10 minutes"]
    [blind] = unjudged()
    assert (blind.event_id, "is outside the supported range" in blind.text) == (odd.id, True)


@pytest.mark.parametrize("time", [DOTNET_UNSET, LAST])
def test_an_unusable_time_hides_no_change_outside_working_hours(
    only: Callable[..., None], time: datetime
) -> None:
    only("hours", from_hour=7, until_hour=11, time_zone="Asia/Tokyo")
    odd, normal = made(time=time), made()
    watch([odd, normal])
    assert [event_id for event_id, _ in found()] == [normal.id]
    assert [alert.event_id for alert in unjudged()] == [odd.id]


def test_an_event_without_a_time_counts_from_its_recording(only: Callable[..., None]) -> None:
    only("deletions", threshold=3, window_minutes=10)
    events = [made("deleted", time=None) for _ in range(3)]
    for event in events:
        take(event)
    assert [text for _, text in found()] == ["eve deleted 3 items within 10 minutes"]
    [alert] = Alert.objects.all()
    assert alert.at == AuditEntry.objects.get(event_id=alert.event_id).recorded_at


@pytest.mark.parametrize("missing", ["threshold", "window_minutes"])
def test_an_incomplete_rule_reports_what_it_lacks(only: Callable[..., None], missing: str) -> None:
    only("deletions", **{missing: None})
    take(*deletions((0, 1)), made())
    [blind] = unjudged()
    assert (blind.unjudged, f"the rule has no {missing}" in blind.text) == (2, True)


def test_unknown_and_out_of_range_rules_report_that_they_cannot_judge(
    only: Callable[..., None],
) -> None:
    only("deletions", window_minutes=2_000_000_000)
    Rule.objects.create(name="Astrology", kind="stars")
    take(*deletions((0,)))
    assert {alert.rule.name for alert in unjudged()} == {"Astrology", "Many deletions"}


def test_events_that_cannot_be_judged_are_counted_in_one_alert_an_hour(
    only: Callable[..., None],
) -> None:
    only("change")
    for _ in range(3):
        take(made(), made())
    [blind] = unjudged()
    assert (blind.unjudged, str(blind)) == (6, f"{blind.text} (and 5 more)")
    take(made("2.updated"), made(actor="bob"))
    assert [alert.unjudged for alert in unjudged()] == [6, 1, 1]
    Alert.objects.update(raised_at=clock.now() - timedelta(hours=2))
    take(made())
    assert [alert.unjudged for alert in unjudged()] == [6, 1, 1, 1]


def test_events_after_an_alert_was_handled_raise_a_new_one(only: Callable[..., None]) -> None:
    only("change")
    take(made())
    Alert.objects.update(handled_at=clock.now())
    take(made())
    assert [alert.unjudged for alert in unjudged()] == [1, 1]


def test_a_flood_of_actors_does_not_flood_the_alerts(
    only: Callable[..., None],
) -> None:
    only("change", threshold=50)
    take(*(made(actor=f"actor {number}") for number in range(3 * MOST)))
    take(*(made(actor=f"actor {number}") for number in range(3 * MOST, 4 * MOST)))
    take(made(actor="zoe", data=price(10, 90)))
    alerts = unjudged()
    assert len(alerts) == MOST + 1
    assert sum(alert.unjudged for alert in alerts) == 4 * MOST
    assert (alerts[-1].actor, alerts[-1].unjudged) == ("", 3 * MOST)
    assert len(found()) == 1


def test_events_that_cannot_be_judged_start_no_quiet_time(only: Callable[..., None]) -> None:
    only("deletions", threshold=2, window_minutes=10)
    record(normal := deletions((0, 1)))
    watch([made("deleted", time=LAST)])
    Alert.objects.update(at=normal[0].time)
    watch(normal)
    assert len(found()) == 1


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children),
    max_leaves=6,
)
numbers = st.one_of(
    st.decimals().map(str),
    st.integers(min_value=10**300, max_value=10**310).map(str),
    st.sampled_from([0, 1, "1e-9999", "1_0", "٣", " 7 ", "", "0x1"]),
)
values = json | numbers
datas = st.one_of(
    st.none(),
    st.binary(max_size=20),
    json,
    st.fixed_dictionaries(
        {"previous": values | st.fixed_dictionaries({"price": values})},
        optional={"price": values},
    ),
)
zones = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
times = st.none() | st.datetimes(timezones=zones) | st.sampled_from([DOTNET_UNSET, LAST])
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300)


@st.composite
def odd_events(draw: DrawFn) -> Event[Any]:
    data = draw(datas)
    body = {"raw": data} if isinstance(data, bytes | None) else {"data": data}
    verb = draw(st.sampled_from(["updated", "deleted", "created", "%s{}"]))
    return made(verb, time=draw(times), actor=draw(names | st.just("eve")), **body)


@given(odd=st.lists(odd_events(), max_size=4), seed=st.randoms(use_true_random=False))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_odd_events_suppress_no_other_alert(odd: list[Event[Any]], seed: Random) -> None:
    with undone():
        Rule.objects.update(is_active=True)
        Rule.objects.filter(kind="deletions").update(threshold=3, window_minutes=10)
        Rule.objects.filter(kind="hours").update(until_hour=11)
        normal = [*deletions((0, 1, 2), actor="mallory"), made(actor="carl", data=price(10, 90))]
        record(normal)
        alone = told(normal)
        assert len(alone) == 6  # two new actors, two outside hours, deletions, and the price
        batch = [*normal, *odd]
        seed.shuffle(batch)
        assert alone <= told(batch, of={event.id for event in normal})


@given(odd=st.lists(odd_events(), min_size=1, max_size=4))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_events_are_judged_in_a_batch_as_on_their_own(odd: list[Event[Any]]) -> None:
    def of_change() -> tuple[set[tuple[str, str]], int]:
        alerts = Alert.objects.filter(rule__kind="change")
        found = {(alert.event_id, alert.text) for alert in alerts if not alert.unjudged}
        return found, sum(alert.unjudged for alert in alerts)

    with undone():
        for event in odd:
            watch([event])
        one_by_one = of_change()
    with undone():
        watch(odd)
        assert of_change() == one_by_one


def told(events: list[Event[Any]], of: set[str] | None = None) -> set[tuple[str, str]]:
    """The alerts about a batch, without texts and event ids. Rolls everything back."""
    with undone():
        watch(events)
        alerts = Alert.objects.filter(unjudged=0)
        if of is not None:
            alerts = alerts.filter(event_id__in=of)
        return {(alert.rule.kind, alert.actor) for alert in alerts}


def test_times_out_of_range_are_comparable_in_every_zone() -> None:
    """These cannot be converted to UTC in Python, but can be compared."""
    for time in (DOTNET_UNSET, LAST):
        with pytest.raises(OverflowError):
            time.astimezone(UTC)


class Priced(Contract, frozen=True, kw_only=True):
    """A contract that another handler of the project might decode prices with."""

    price: str
    previous: dict[str, str]


def test_rules_do_not_depend_on_the_contracts_of_other_handlers(
    only: Callable[..., None],
) -> None:
    only("change", threshold=50)
    event = replace(made(data=price("10", "90")), contract=Priced)
    take(event)
    assert found() == [(event.id, "price changed by +800 %, from 10 to 90")]
    assert not unjudged()
