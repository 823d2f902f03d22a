"""The history of a product, and its state at a point in time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit_service.audit.reading.catalogue import catalogue
from audit_service.audit.reading.history import last_entry, state_of
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
URL = "/api/subjects/product/17"


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def event(sequence: int, verb: str, subject: str = "17", **data: object) -> dict[str, Any]:
    """An event that happened as many minutes after the start as its sequence says."""
    return {
        "specversion": "1.0",
        "id": f"{subject}-{sequence}-{verb}",
        "source": "/shop",
        "type": f"product.{verb}",
        "subject": subject,
        "time": at(sequence).isoformat(),
        "sequence": sequence,
        "actor": "eve",
        "correlationid": f"request-{sequence}",
        "data": {"id": int(subject), "version": sequence, **data},
    }


LIFE = [
    event(1, "created", name="Pan", price="9.00"),
    event(2, "updated", name="Pan", price="8.00", previous={"price": "9.00"}),
    event(3, "updated", name="Wok", price="8.00", previous={"name": "Pan"}),
    event(4, "deleted", name="Wok", price="8.00"),
]


@pytest.fixture
def record(bus: Bus) -> Callable[..., None]:
    def record(events: list[dict[str, Any]]) -> None:
        for one in events:
            bus.send("product.events", json.dumps(one).encode(), key=one["subject"].encode())
        bus.consume()

    return record


def test_the_timeline_shows_who_changed_what_in_which_request(
    record: Callable[..., None], admin_client: Client
) -> None:
    record([*LIFE, event(1, "created", subject="18", name="Pot")])
    rows = admin_client.get(f"{URL}/timeline/").json()["results"]
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4]
    assert [row["changed"] for row in rows[1:]] == [
        [{"field": "price", "old": "9.00", "new": "8.00"}],
        [{"field": "name", "old": "Pan", "new": "Wok"}],
        [],
    ]
    assert {change["field"]: change["new"] for change in rows[0]["changed"]} == {
        "id": 17,
        "name": "Pan",
        "price": "9.00",
    }
    assert (rows[1]["actor"], rows[1]["correlation_id"]) == ("eve", "request-2")
    assert {row["missing"] for row in rows} == {None}


def test_gaps_are_reported(record: Callable[..., None], admin_client: Client) -> None:
    snapshot = event(7, "snapshot", name="Wok", price="5.00")
    record([LIFE[1], snapshot])
    second, seventh = admin_client.get(f"{URL}/timeline/").json()["results"]
    assert (second["missing"], seventh["missing"]) == (
        {"first": 1, "last": 1, "is_lost": False},
        {"first": 3, "last": 6, "is_lost": False},
    )
    found = {change["field"]: (change["old"], change["new"]) for change in seventh["changed"]}
    assert found == {"name": ("Pan", "Wok"), "price": ("8.00", "5.00")}


def test_after_a_gap_a_change_is_what_its_event_reports(
    record: Callable[..., None], admin_client: Client
) -> None:
    record([LIFE[0], LIFE[2]])
    third = admin_client.get(f"{URL}/timeline/").json()["results"][1]
    assert third["changed"] == [{"field": "name", "old": "Pan", "new": "Wok"}]


def test_a_subject_that_is_created_again_has_only_new_fields(
    record: Callable[..., None], admin_client: Client
) -> None:
    record([*LIFE, event(5, "created", name="Wok", price="7.00")])
    rows = admin_client.get(f"{URL}/timeline/").json()["results"]
    assert {change["field"]: (change["old"], change["new"]) for change in rows[4]["changed"]} == {
        "id": (None, 17),
        "name": (None, "Wok"),
        "price": (None, "7.00"),
    }
    assert rows[3]["changed"] == []
    state = admin_client.get(f"{URL}/state/").json()
    assert (state["is_deleted"], state["data"]["price"]) == (False, "7.00")
    states = {state.subject: state.data for state in catalogue("product", at(9))}
    assert states == {"17": {"id": 17, "version": 5, "name": "Wok", "price": "7.00"}}
    [part] = admin_client.get("/api/transactions/request-5/").json()["results"]
    assert (part["before"], part["after"]["name"], len(part["changed"])) == (None, "Wok", 3)
    second_page = admin_client.get(f"{URL}/timeline/?page_size=4").json()["next"]
    assert admin_client.get(second_page).json()["results"] == rows[4:]


def test_a_snapshot_shows_what_raw_sql_changed(
    record: Callable[..., None], admin_client: Client
) -> None:
    record(
        [
            *LIFE[:2],
            event(3, "snapshot", name="Wok", price="8.00"),
            event(4, "snapshot", name="Wok", price="8.00"),
        ]
    )
    rows = admin_client.get(f"{URL}/timeline/").json()["results"]
    assert [row["changed"] for row in rows[2:]] == [
        [{"field": "name", "old": "Pan", "new": "Wok"}],
        [],
    ]
    [part] = admin_client.get("/api/transactions/request-3/").json()["results"]
    assert (part["before"]["name"], part["after"]["name"]) == ("Pan", "Wok")
    assert [change["field"] for change in part["changed"]] == ["name"]


def test_a_page_starts_where_the_previous_one_ended(
    record: Callable[..., None], admin_client: Client
) -> None:
    record([*LIFE[:3], event(3, "snapshot", name="Wok", price="8.00"), LIFE[3]])
    whole = admin_client.get(f"{URL}/timeline/").json()["results"]
    url, pages = f"{URL}/timeline/?page_size=1", []
    while url:
        page = admin_client.get(url).json()
        pages += page["results"]
        url = page["next"]
    assert pages == whole
    assert [len(row["changed"]) for row in whole] == [3, 1, 1, 0, 0]


def test_the_state_at_a_time(record: Callable[..., None], admin_client: Client) -> None:
    record(LIFE)

    def state(moment: datetime) -> Any:
        return admin_client.get(f"{URL}/state/", {"at": moment.isoformat()}).json()

    assert state(at(2.5))["data"] == {"id": 17, "version": 2, "name": "Pan", "price": "8.00"}
    assert not state(at(2.5))["is_deleted"]
    assert state(at(2))["sequence"] == 2
    assert (state(at(9))["is_deleted"], state(at(9))["data"]["name"]) == (True, "Wok")
    assert admin_client.get(f"{URL}/state/").json()["sequence"] == 4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{URL}/state/?at=2026-10-01T00:00:00Z", 404),
        (f"{URL}/state/?at=yesterday", 400),
        ("/api/subjects/order/17/timeline/", 404),
        ("/api/subjects/product/99/timeline/", 404),
        ("/api/subjects/%25/17/state/", 404),
    ],
)
def test_unknown_subjects_and_times_are_not_found(
    record: Callable[..., None], admin_client: Client, path: str, status: int
) -> None:
    record(LIFE)
    answer = admin_client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


def test_text_that_postgresql_cannot_store_is_rejected(
    record: Callable[..., None], admin_client: Client
) -> None:
    """SQLite does not find it."""
    assert admin_client.get("/api/subjects/product/%00/state/").status_code in {400, 404}


def test_the_history_requires_the_permission(
    record: Callable[..., None], client: Client, django_user_model: type[User]
) -> None:
    record(LIFE)
    assert client.get(f"{URL}/timeline/").status_code == 401
    client.force_login(django_user_model.objects.create_user("bob"))
    for page in ("timeline", "state"):
        assert client.get(f"{URL}/{page}/").status_code == 403


subjects = map(str, count(100))
"""A new one for each example, because the inbox drops events that it has seen."""

FIELDS = {"name": st.sampled_from("abc"), "price": st.sampled_from(["1.00", "2.00"])}


@given(
    steps=st.lists(st.fixed_dictionaries({}, optional=FIELDS), max_size=8),
    is_deleted=st.booleans(),
    order=st.randoms(use_true_random=False),
    snapshots=st.sets(st.integers(1, 8)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_state_is_the_sum_of_all_earlier_changes(
    record: Callable[..., None],
    steps: list[dict[str, str]],
    is_deleted: bool,
    order: Random,
    snapshots: set[int],
) -> None:
    """In whatever order the events are recorded: a replay records missing ones late."""
    subject = next(subjects)
    state = {"name": "a", "price": "1.00"}
    states, events = [state], [event(1, "created", subject, **state)]
    for number, step in enumerate(steps, start=2):
        previous = {name: state[name] for name, value in step.items() if value != state[name]}
        state = {**state, **step}
        states.append(state)
        events.append(event(number, "updated", subject, **state, previous=previous))
    events += [
        event(number, "snapshot", subject, **states[number - 1])
        for number in snapshots
        if number <= len(states)
    ]
    if is_deleted:
        events.append(event(len(states) + 1, "deleted", subject, **state))
        states.append(state)
    order.shuffle(events)
    record(events)
    for number, expected in enumerate(states, start=1):
        found = last_entry("product", subject, at(number + 0.5))
        assert found is not None
        assert {name: state_of(found)[name] for name in expected} == expected
        assert found.sequence == number
    assert last_entry("product", subject, at(0.5)) is None
