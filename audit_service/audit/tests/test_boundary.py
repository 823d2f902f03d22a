"""Every event that the inbox accepts can be shown and exported, including those of older code."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from audit_service.audit.handlers import record
from audit_service.audit.models import Alert, AuditEntry, Rule
from audit_service.audit.tests.tampering import guard_off
from eventbus.events import Envelope, Event, Place
from eventbus.events.data import MAX_DEPTH
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

FORMATS = ("ndjson", "csv", "parquet")


@pytest.fixture
def reader(admin_client: Client, tmp_path: Path) -> Callable[..., str]:
    """Open everything that shows entries, check that it works, return the output of `verify`."""

    def get(url: str) -> bytes:
        response = admin_client.get(url)
        content = b"".join(response) if response.streaming else response.content
        # Events in another millennium are not part of the current state.
        expected = {200, 404} if url.endswith("/state/") else {200}
        assert response.status_code in expected, (url, response.status_code, content[:500])
        return content

    def read(*entries: AuditEntry) -> str:
        for url in ("/", "/newer/?after=0", "/api/events/", "/admin/audit/auditentry/?all="):
            get(url)
        for window in ("hour", "day", "month"):
            get(f"/rates/?window={window}")
        for aggregate in {entry.aggregate for entry in entries} - {"", ".", ".."}:
            if "/" not in aggregate:
                url = f"/api/subjects/{quoted(aggregate)}/state/"
                for file_format in ("ndjson", "csv"):
                    get(f"{url}?format={file_format}")
        for entry in entries:
            for url in pages_of(entry):
                get(url)
        for file_format in FORMATS:
            path = tmp_path / f"entries.{file_format}"
            call_command("export", format=file_format, output=path, stderr=StringIO())
            assert path.stat().st_size
        out = StringIO()
        with suppress(SystemExit):
            call_command("verify", stdout=out)
        return out.getvalue()

    return read


def quoted(text: str) -> str:
    """Quote a text for a URL."""
    return reverse("subject", args=[text, "x"]).split("/")[2]


def pages_of(entry: AuditEntry) -> Iterator[str]:
    yield f"/events/{entry.pk}/"
    yield f"/api/events/{entry.pk}/"
    yield f"/admin/audit/auditentry/{entry.pk}/change/"
    if entry.subject_url:
        yield entry.subject_url
    if entry.subject_url and "/" not in entry.subject:
        yield f"/api{entry.subject_url}timeline/"
        yield f"/api{entry.subject_url}state/"
    if entry.correlation_id not in ("", ".", ".."):
        url = reverse("transaction", args=[entry.correlation_id])
        yield url
        if "/" not in entry.correlation_id:
            yield f"/api{url}"


# Rows recorded by older code.

READABLE = {
    "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
    "9999-12-31T23:59:59Z": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
}
UNREADABLE = ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00")
STORED = {
    "postgresql": ["0001-12-31 23:00:00+00 BC", "10000-01-01 00:59:59+00", "infinity", "-infinity",
                   "4713-01-01 00:00:00+00 BC", "294000-01-01 00:00:00+00"],
    "sqlite": ["0000-12-31 23:00:00", "10000-01-01 00:59:59", "2026-02-30 12:00:00", "yesterday",
               "2026-11-01 24:00:00", "2026-11-01 12:00:00.5Z"],
}  # fmt: skip


def event_at(number: int, time: str) -> Event[Any]:
    text = {"id": f"e{number}", "source": "/net", "type": "order.placed"}
    more = {"subject": "9", "sequence": number, "actor": "eve", "correlationid": "c"}
    told: dict[str, Any] = {"specversion": "1.0", **text, **more}
    value = json.dumps({**told, "time": time, "data": {"n": number}}).encode()
    envelope = Envelope(**told, time=datetime.fromisoformat(time))
    return Event(envelope, Place("order.events", 0, number), value)


def record_as_before(*times: str) -> None:
    """Record events as when every time that Python can read was accepted."""
    record([event_at(number, time) for number, time in enumerate(times, 1)])


def test_readable_times_at_the_edge_of_the_range_are_still_read(reader: Callable[..., str]) -> None:
    record_as_before(*READABLE)
    entries = list(AuditEntry.objects.order_by("id"))
    assert [entry.time for entry in entries] == list(READABLE.values())
    assert "all chains are intact" in reader(*entries)


def test_an_unreadable_time_is_shown_exported_and_verified(
    reader: Callable[..., str], admin_client: Client
) -> None:
    """PostgreSQL stores .NET's unset local time as a year before Christ. SQLite rejected it."""
    if connection.vendor == "sqlite":
        with pytest.raises(OverflowError):
            record_as_before(*UNREADABLE)
        return
    record_as_before(*UNREADABLE, "2026-11-01T12:00:00Z")
    entries = list(AuditEntry.objects.order_by("id"))
    assert [entry.time and entry.time.year for entry in entries] == [None, None, 2026]
    assert "all chains are intact" in reader(*entries)
    assert "✓ yes" in admin_client.get(f"/events/{entries[0].pk}/").content.decode()


@pytest.mark.parametrize("number", range(6))
def test_a_tampered_time_breaks_the_chain_but_no_page(
    reader: Callable[..., str], number: int
) -> None:
    record_as_before("2026-11-01T12:00:00Z")
    with guard_off(), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditentry SET time = %s", [STORED[connection.vendor][number]])
    entry = AuditEntry.objects.get()
    assert entry.time is None
    assert "changed at 1" in reader(entry)


def test_unreadable_times_of_alerts_are_replaced_by_the_time_of_raising(
    admin_client: Client,
) -> None:
    rule = Rule.objects.all()[0]
    for number in range(4):
        alert = Alert.objects.create(rule=rule, at=timezone.now(), event_id=str(number))
        with connection.cursor() as cursor:
            moment = [*STORED[connection.vendor][:1], "9999-12-31 23:59:59"][number % 2]
            cursor.execute("UPDATE audit_alert SET at = %s WHERE id = %s", [moment, alert.pk])
    migration = import_module("audit_service.audit.migrations.0006_boundary_times")
    migration.replace_times(apps, None)
    assert {alert.at == alert.raised_at for alert in Alert.objects.all()} == {True}
    for url in ("/", "/admin/audit/alert/", "/api/alerts/"):
        assert admin_client.get(url).status_code == 200


def test_an_event_without_a_usable_time_counts_from_its_recording(
    bus: Bus, admin_client: Client
) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/net", "type": "order.placed"}
    odd = {"subject": "9", "sequence": 1, "time": "0001-01-01T00:00:00", "data": {"total": 7}}
    bus.send("order.events", json.dumps({**event, **odd, "time": UNREADABLE[0]}).encode())
    bus.consume()
    assert AuditEntry.objects.get().time is None
    assert admin_client.get("/api/subjects/order/9/state/").json()["data"] == {"total": 7}
    catalogue = admin_client.get("/api/subjects/order/state/?format=ndjson")
    assert b'"total":7' in b"".join(catalogue)
    past = (timezone.now() - timedelta(days=1)).isoformat().replace("+", "%2B")
    assert admin_client.get(f"/api/subjects/order/9/state/?at={past}").status_code == 404


def test_entries_recorded_under_older_rules_are_shown_as_bytes(reader: Callable[..., str]) -> None:
    record_as_before("2026-11-01T12:00:00Z")
    deep = b'{"data": ' + b"[" * 200 + b"]" * 200 + b"}"
    with guard_off():
        AuditEntry.objects.update(value=deep, sequence=1)
    entry = AuditEntry.objects.get()
    assert (entry.envelope, entry.data) == (None, None)
    reader(entry)


def test_long_ids_stay_distinct(bus: Bus, admin_client: Client) -> None:
    for number in (1, 2):
        event = {"specversion": "1.0", "id": str(number), "source": "/x", "type": "order.placed"}
        long = {name: "x" * 300 + str(number) for name in ("correlationid", "causationid")}
        bus.send("order.events", json.dumps({**event, **long}).encode())
    bus.consume()
    entries = list(AuditEntry.objects.all())
    for name in ("correlation_id", "causation_id"):
        assert len({getattr(entry, name) for entry in entries}) == 2
        assert {len(getattr(entry, name)) for entry in entries} == {255}
    [url] = {reverse("transaction", args=[entries[0].correlation_id])}
    assert len(admin_client.get(f"/api{url}").json()["results"]) == 1


# Whatever is accepted today.

ODD_TEXT = st.sampled_from(
    ["9", "a/b?c#d", ".", "..", " ", "\n", "\r\n", "\t", "%2F", "%", "\x7f", "\u2028", "\ufeff",
     "\U0010ffff", "日本", "<b>", "=1+1", "-1", '"', "'", "\\", "{{ x }}", "x" * 255, "é" * 255]
)  # fmt: skip
LONG_TEXT = ODD_TEXT | st.sampled_from(["x" * 256, "y" * 5000])
TYPES = st.sampled_from(
    [
        "order.placed",
        "order.deleted",
        "order",
        ".",
        "..",
        ".deleted",
        "a/b.c",
        "\n.x",
        "é.x",
        "x" * 255,
    ]
)
TIMES = st.sampled_from(
    [None, *UNREADABLE, *READABLE, "0000-01-01T00:00:00Z", "2016-12-31T23:59:60Z",
     "0002-01-01T00:00:00+23:59", "0002-01-01T00:00:00Z", "9998-12-31T23:59:59.999999-23:59",
     "9998-12-31T23:59:59Z", "2026-11-01T12:00:00.999999999Z"]
)  # fmt: skip
SEQUENCES = st.sampled_from(
    [
        None,
        0,
        1,
        2,
        -1,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        10**40,
        "7",
        "07",
        "1_0",
        "x",
    ]
)
DATA = st.sampled_from(
    ["null", "1", '"text"', "[]", "{}", "1e400", "-1e400", "9" * 400, "9" * 5000, "1e-400", "0.1",
     '{"n": 1e400, "big": %s}' % ("9" * 5000), '{"previous": 5}', '{"previous": []}',
     '{"previous": {"a": 1e999}, "a": 2}', '{"previous": {"": null}, "": {"x": [1]}}',
     '{"a\\u0000b": "\\u0000"}', '{"subject": 1, "sequence": 2}', '"\\ud83d\\ude00"',
     "[" * MAX_DEPTH + "]" * MAX_DEPTH, '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH,
     '{"a": 1, "a": 2}', json.dumps({"text": "x" * 100_000})]
)  # fmt: skip


@st.composite
def messages(draw: DrawFn) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """A message that the inbox accepts: value and headers."""
    attributes = {
        "specversion": "1.0",
        "id": draw(ODD_TEXT),
        "source": draw(ODD_TEXT),
        "type": draw(TYPES),
        "subject": draw(st.none() | ODD_TEXT),
        "time": draw(TIMES),
        "sequence": draw(SEQUENCES),
        "actor": draw(st.none() | LONG_TEXT),
        "correlationid": draw(st.none() | LONG_TEXT),
        "causationid": draw(st.none() | LONG_TEXT),
        "dataschema": draw(st.none() | LONG_TEXT),
    }
    told = {name: value for name, value in attributes.items() if value is not None}
    data = draw(st.none() | DATA)
    if draw(st.booleans()):
        body = json.dumps(told).encode()
        members = b"" if data is None else b', "data": ' + data.encode()
        return body[:-1] + members + b"}", [("content-type", b"application/cloudevents+json")]
    headers = [(f"ce_{name}", str(value).encode()) for name, value in told.items()]
    content_type, value = draw(
        st.sampled_from(
            [
                (b"application/json", data.encode() if data else None),
                (b"image/jpeg", b"\xff\xd8\x00"),
            ]
        )
    )
    odd = draw(st.sampled_from([[], [("trace\n-bin", b"\xff\x00")]]))
    return value, [*headers, ("content-type", content_type), *odd]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12
)
@given(st.lists(messages(), min_size=1, max_size=3))
def test_every_accepted_event_can_be_shown_and_exported(
    bus: Bus, reader: Callable[..., str], sent: list[Any]
) -> None:
    last = AuditEntry.objects.order_by("id").last()
    for value, headers in sent:
        bus.send("order.events", value, b"9", headers)
    assert bus.consume().parked == 0
    reader(*AuditEntry.objects.filter(pk__gt=last.pk if last else 0))
