"""The pages: permissions, contents, and robustness against odd URLs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from audit_service.audit.models import AuditEntry
from audit_service.audit.pages.rate import WINDOWS, rate
from audit_service.audit.tests.tampering import change
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

PAGES = ["/", "/newer/?after=0", "/rates/", "/subjects/product/1/", "/transactions/request/1/"]


@pytest.fixture
def send(bus: Bus) -> Callable[..., AuditEntry]:
    def send(
        sequence: int | str,
        subject: str = "1",
        verb: str = "updated",
        actor: str = "eve",
        **more: object,
    ) -> AuditEntry:
        event = {
            "specversion": "1.0",
            "id": f"{subject}/{sequence}",
            "source": "/shop",
            "type": f"product.{verb}",
            "subject": subject,
            "time": timezone.now().isoformat(),
            "sequence": sequence,
            "actor": actor,
            "correlationid": "request/1",
            "data": {"name": f"<b>Pan {sequence}</b>", "version": sequence},
            **more,
        }
        bus.send("product.events", json.dumps(event).encode(), key=subject.encode())
        bus.consume()
        return AuditEntry.objects.latest("id")

    return send


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


def test_pages_require_permission_to_view_entries(
    send: Callable[..., AuditEntry], client: Client
) -> None:
    entry = send(1)
    pages = [*PAGES, f"/events/{entry.pk}/"]
    assert all(client.get(page)["Location"].startswith("/admin/login/") for page in pages)
    user = User.objects.create_user("bob")
    client.force_login(user)
    assert {client.get(page).status_code for page in pages} == {403}
    user.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    client.force_login(User.objects.get(pk=user.pk))
    assert {client.get(page).status_code for page in pages} == {200}


def test_filters_are_in_the_url(send: Callable[..., AuditEntry], admin_client: Client) -> None:
    send(1)
    send(2, actor="bob")
    send(1, subject="2", verb="deleted")
    assert text(admin_client, "/").count('class="row"') == 3
    assert text(admin_client, "/?actor=eve&type=product.updated").count('class="row"') == 1
    page = text(admin_client, "/?actor=nobody")
    assert "No events match these filters" in page
    assert "/newer/?actor=nobody&amp;after=0" in page
    assert 'id="newer"' not in text(admin_client, "/?live=no")


def test_new_events_appear_on_top_once(
    send: Callable[..., AuditEntry], admin_client: Client
) -> None:
    first = send(1)
    assert text(admin_client, f"/newer/?after={first.pk}").count('class="row"') == 0
    second = send(2)
    rows = text(admin_client, f"/newer/?after={first.pk}")
    assert rows.count('class="row"') == 1
    assert f"after={second.pk}" in rows


def test_older_events_are_on_the_next_page(
    send: Callable[..., AuditEntry], admin_client: Client
) -> None:
    for sequence in range(1, 53):
        send(sequence)
    page = text(admin_client, "/")
    assert page.count('class="row"') == 50
    oldest_shown = AuditEntry.objects.order_by("-id")[49].pk
    assert f"?before={oldest_shown}" in page
    assert text(admin_client, f"/?before={oldest_shown}").count('class="row"') == 2


def test_the_empty_explorer_says_what_to_do(admin_client: Client) -> None:
    assert "change a product" in text(admin_client, "/")


def test_an_event_page_shows_its_change_and_its_link(
    send: Callable[..., AuditEntry], admin_client: Client
) -> None:
    send(1)
    entry = send(2)
    page = text(admin_client, f"/events/{entry.pk}/")
    assert "&lt;b&gt;Pan 2&lt;/b&gt;" in page
    assert "<b>Pan" not in page
    assert bytes(entry.link).hex() in page
    assert "✓ yes" in page
    change(entry, actor="forged")
    assert "✗ no" in text(admin_client, f"/events/{entry.pk}/")


def test_a_timeline_shows_its_gaps(send: Callable[..., AuditEntry], admin_client: Client) -> None:
    for sequence in (1, 2, 5):
        send(sequence)
    page = text(admin_client, "/subjects/product/1/")
    assert "Not recorded: 3 to 4" in page
    assert page.index("#5") < page.index("#2")
    assert admin_client.get("/subjects/product/99/").status_code == 404


def test_a_long_timeline_is_shortened_correctly(
    send: Callable[..., AuditEntry], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit_service.audit.pages.views.MOST_CHANGES", 2)
    for sequence in (1, 2, 3):
        send(sequence)
    page = text(admin_client, "/subjects/product/1/")
    assert page.count("product.updated") == 2
    assert "Not recorded" not in page
    assert "Pan 1" in page  # the state before the oldest change shown


@pytest.mark.parametrize(
    "event",
    [
        {"subject": "a/b?c", "sequence": 1},
        {"subject": "..", "type": "a/b.c"},
        {"correlationid": "with space/and ?#", "sequence": 3},
        {"data": [1, 2], "sequence": 4},
        {"data": None, "time": "0001-01-01T00:00:00Z"},
        {"actor": "", "sequence": "text"},
    ],
)
def test_pages_of_odd_events_open(
    send: Callable[..., AuditEntry], admin_client: Client, event: dict[str, Any]
) -> None:
    entry = send(**{"sequence": 9, **event})
    for url in ("/", f"/events/{entry.pk}/", entry.subject_url):
        if url:
            text(admin_client, url)


@pytest.mark.parametrize(
    "query", ["before=x", "before=" + "9" * 30, "type=%00", "live=maybe", "window=century&after=-1"]
)
def test_odd_query_strings_break_no_page(
    send: Callable[..., AuditEntry], admin_client: Client, query: str
) -> None:
    send(1)
    for page in ("/", "/newer/", "/rates/"):
        assert admin_client.get(f"{page}?{query}").status_code in (200, 400)


def test_the_number_of_queries_does_not_depend_on_the_events(
    send: Callable[..., AuditEntry],
    admin_client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for sequence in range(1, 30):
        send(sequence)
    for page in (*PAGES, "/?type=product.updated"):
        with django_assert_max_num_queries(9):
            admin_client.get(page)


NOW = datetime(2026, 11, 2, 12, 34, 56, tzinfo=UTC)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    ages=st.lists(st.integers(0, 40 * 24 * 3600), max_size=15),
    name=st.sampled_from(sorted(WINDOWS)),
)
def test_the_rate_counts_each_event_in_its_step(db: None, ages: list[int], name: str) -> None:
    window = WINDOWS[name]
    times = [NOW - timedelta(seconds=age) for age in ages]
    entries = AuditEntry.objects.bulk_create(entry_at(time) for time in times)
    series = rate(AuditEntry.objects.filter(pk__in=[e.pk for e in entries]), window, NOW)
    step = window.step.total_seconds()
    expected = [
        sum(start <= time.timestamp() < start + step for time in times) for start in series["times"]
    ]
    assert series["counts"] == expected
    assert len(series["times"]) == window.steps
    assert series["times"][-1] <= NOW.timestamp() < series["times"][-1] + step


def entry_at(time: datetime) -> AuditEntry:
    return AuditEntry(
        event_id="x",
        source="/x",
        type="x.y",
        time=time,
        topic="t",
        partition=0,
        offset=0,
        value=b"{}",
        recorded_at=timezone.now(),
        position=1,
        link=b"",
    )
