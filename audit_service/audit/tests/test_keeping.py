"""Exports, pruning, and the state of all subjects at a point in time."""

import csv
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pytest_django import Settings

from audit_service.audit.models import AuditEntry, ChainHead, ExportRecord
from audit_service.audit.proof.checkpoints import new_keys, trusted_keys
from audit_service.audit.proof.statements import Statements, stored
from audit_service.audit.proof.verification import Verification
from audit_service.audit.reading.catalogue import SubjectState, as_csv, catalogue
from audit_service.audit.reading.exporting import write_csv
from audit_service.audit.record.sealing import SEALED, link, seal
from audit_service.audit.tests.tampering import change
from audit_service.audit.tests.test_history import at, event
from common.servicekit.spreadsheets import unmark
from eventbus.testing.bus import Bus

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\uff1d")  # OWASP, CSV Injection
pytestmark = pytest.mark.django_db


BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"b"),
    ("ce_source", b"/x"),
    ("ce_type", b"photo.taken"),
    ("content-type", b"image/jpeg"),
]


@pytest.fixture
def record(bus: Bus) -> Callable[..., None]:
    def record(events: list[dict[str, Any]], now: datetime | None = None) -> None:
        for one in events:
            bus.send("product.events", json.dumps(one).encode(), key=one["subject"].encode())
        with mock.patch("django.utils.timezone.now", return_value=now or datetime.now(UTC)):
            bus.consume()

    return record


@pytest.fixture
def recorded(record: Callable[..., None]) -> None:
    record([event(1, "created", name="Pan, big"), event(2, "updated", name="Ünique\nwok")])


def exported(tmp_path: Path, file_format: str, *words: str) -> tuple[bytes, str]:
    file = tmp_path / "export"
    err = StringIO()
    call_command("export", f"--format={file_format}", f"--output={file}", *words, stderr=err)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    return file.read_bytes(), err.getvalue()


def test_ndjson_has_everything_that_the_chain_proves(
    recorded: None, tmp_path: Path, bus: Bus
) -> None:
    bus.send("product.events", b"\xff\x00", headers=BINARY)
    bus.consume()
    content, told = exported(tmp_path, "ndjson")
    lines = [json.loads(line) for line in content.splitlines()]
    assert "3 entries exported" in told
    previous = bytes(32)
    for line in lines:
        row = [line.get(name) for name in SEALED[:-1]]
        row[2], row[9] = (datetime.fromisoformat(t) if t else None for t in (row[2], row[9]))
        text, coded = line.get("value"), line.get("value_base64")
        value = text.encode() if coded is None else b64decode(coded)
        previous = link(previous, seal([*row, value]))
        assert previous.hex() == line["link"]


def test_csv_and_parquet_have_the_same_values(recorded: None, tmp_path: Path) -> None:
    content, _ = exported(tmp_path, "csv")
    rows = list(csv.DictReader(StringIO(content.decode(), newline="")))
    (tmp_path / "export").unlink()
    content, _ = exported(tmp_path, "parquet")
    table = parquet.read_table(BytesIO(content)).to_pylist()
    entries = list(AuditEntry.objects.order_by("id"))
    assert [row["value"].encode() for row in rows] == [bytes(entry.value) for entry in entries]
    assert [row["value"] for row in table] == [bytes(entry.value) for entry in entries]
    assert [row["recorded_at"] for row in table] == [entry.recorded_at for entry in entries]
    assert [row["link"] for row in rows] == [row["link"].hex() for row in table]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "\uff1d1"])
def test_spreadsheets_run_no_formulas_from_events(
    record: Callable[..., None], tmp_path: Path, text: str
) -> None:
    """In exports of entries and of states. Each cell can be restored to its original text."""
    record([{**event(1, "created", name=text), "subject": text, "type": f"{text}.created"}])
    content, _ = exported(tmp_path, "csv")
    [row] = csv.DictReader(StringIO(content.decode(), newline=""))
    assert not row["subject"].startswith(FORMULAS)
    assert (unmark(row["subject"]), unmark(row["type"])) == (text, f"{text}.created")
    states = [SubjectState(text, 1, {text: text})]
    lines = list(csv.reader(StringIO("".join(as_csv(states)), newline="")))
    assert [[unmark(cell) for cell in line] for line in lines] == [
        ["subject", "sequence", text],
        [text, "1", text],
    ]
    assert not any(cell.startswith(FORMULAS) for line in lines for cell in line)


def test_an_export_of_states_has_the_columns_of_all_rows() -> None:
    states = [
        SubjectState("1", 4, {"name": "Pan", "colour": None}),
        SubjectState("2", 1, {"name": "Wok", "size": {"cm": 30}}),
        SubjectState("3", 1, {}),
    ]
    rows = list(csv.DictReader(StringIO("".join(as_csv(states)), newline="")))
    assert list(rows[0]) == ["subject", "sequence", "name", "colour", "size"]
    assert [row["size"] for row in rows] == ["", '{"cm":30}', ""]
    assert list(csv.reader(as_csv([]))) == [["subject", "sequence"]]


def test_an_export_has_the_requested_period_and_is_recorded(
    record: Callable[..., None], tmp_path: Path
) -> None:
    record([event(1, "created")], now=at(0))
    record([event(2, "updated")], now=at(60))
    content, _ = exported(tmp_path, "ndjson", f"--since={at(1).isoformat()}")
    assert [json.loads(line)["sequence"] for line in content.splitlines()] == [2]
    content, _ = exported(tmp_path, "ndjson", f"--until={at(1).isoformat()}")
    assert [json.loads(line)["sequence"] for line in content.splitlines()] == [1]
    first, second = ExportRecord.objects.order_by("id")
    assert "(shell)" in first.actor
    assert f"until {at(1).isoformat()}" in second.what


def test_an_export_that_cannot_be_written_fails_with_one_line(
    recorded: None, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="No such file or directory"):
        call_command("export", f"--output={tmp_path}/nowhere/export")


def test_csv_does_not_close_a_file_that_it_did_not_open(recorded: None) -> None:
    file = BytesIO()
    write_csv(AuditEntry.objects.all(), file)
    assert file.getvalue().count(b"\r\n") == 3


OCTOBER = datetime(2026, 10, 15, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 15, tzinfo=UTC)


@pytest.fixture
def two_months(record: Callable[..., None]) -> None:
    record([event(n, "updated") for n in (1, 2, 3)], now=OCTOBER)
    record([event(n, "updated") for n in (4, 5)], now=NOVEMBER)


def prune(*words: str) -> str:
    out = StringIO()
    call_command("prune", "--before=2026-11", *words, stdout=out)
    return out.getvalue()


def whole() -> tuple[int, bool]:
    trusted = trusted_keys() if stored() else []
    signed = Statements(stored(), trusted).signed
    chains = Verification(None, None, signed).run(lambda number: None)
    return sum(chain.verified for chain in chains), all(not chain.broken for chain in chains)


def test_only_entries_covered_by_exported_checkpoints_are_pruned(
    two_months: None, settings: Settings, tmp_path: Path
) -> None:
    settings.AUDIT_SIGNING_KEY, _ = new_keys()
    with pytest.raises(CommandError, match="No exported checkpoint covers entry 3"):
        prune()
    call_command("checkpoint", stdout=StringIO())
    with pytest.raises(CommandError, match="No exported checkpoint"):
        prune()
    call_command("checkpoint", output=tmp_path / "checkpoint", stdout=StringIO())
    assert "Would delete 3 entries (months: 1)" in prune("--dry-run")
    assert whole() == (5, True)
    assert "Deleted 3 entries (months: 1)" in prune()
    assert whole() == (2, True)
    assert list(AuditEntry.objects.order_by("id").values_list("sequence", flat=True)) == [4, 5]
    assert ChainHead.objects.get().pruned_position == 3
    assert "Deleted 0 entries (months: 0)" in prune()
    out = StringIO()
    call_command("verify", stdout=out)
    assert "all chains are intact" in out.getvalue()


def test_a_broken_chain_is_not_pruned(two_months: None, settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_SIGNING_KEY, _ = new_keys()
    call_command("checkpoint", output=tmp_path / "checkpoint", stdout=StringIO())
    change(AuditEntry.objects.get(position=2), actor="forged")
    with pytest.raises(CommandError, match="is broken"):
        prune()
    assert AuditEntry.objects.count() == 5


def test_nothing_is_pruned_without_a_key(two_months: None) -> None:
    with pytest.raises(CommandError, match="Set AUDIT_PUBLIC_KEYS"):
        prune()
    assert AuditEntry.objects.count() == 5


@pytest.mark.parametrize(
    ("month", "why"), [("2026-11-05", "must be a month"), ("2999-01", "later")]
)
def test_only_whole_past_months_are_pruned(month: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        call_command("prune", f"--before={month}")


def test_time_never_goes_back_in_a_chain(record: Callable[..., None]) -> None:
    """The clocks of two hosts may differ, but a pruned month must be complete."""
    record([event(1, "updated")], now=NOVEMBER)
    record([event(2, "updated")], now=OCTOBER)
    assert set(AuditEntry.objects.values_list("recorded_at", flat=True)) == {NOVEMBER}
    assert whole() == (2, True)


@pytest.fixture
def exporter(client: Client) -> Client:
    user = User.objects.create_user("exporter")
    user.user_permissions.add(Permission.objects.get(codename="export_auditentry"))
    client.force_login(user)
    return client


def test_exporting_states_requires_the_permission_and_is_recorded(
    recorded: None, exporter: Client, client: Client
) -> None:
    url = f"/api/subjects/product/state/?at={at(1).isoformat().replace('+', '%2B')}"
    response = exporter.get(url)
    body = response.getvalue()
    assert response.streaming
    assert json.loads(body)["data"]["name"] == "Pan, big"
    [kept] = ExportRecord.objects.all()
    assert (kept.actor, kept.what) == ("exporter", f"product at {at(1).isoformat()}")
    response = exporter.get(f"/api/subjects/product/state/?at={at(3).isoformat()[:-6]}Z&format=csv")
    rows = list(csv.DictReader(StringIO(response.getvalue().decode(), newline="")))
    assert [row["name"] for row in rows] == ["Ünique\nwok"]
    assert exporter.get("/api/subjects/product/state/?at=noon").status_code == 400
    client.force_login(User.objects.create_user("bob"))
    assert client.get(url).status_code == 403


@contextmanager
def undone() -> Iterator[None]:
    """A transaction that is rolled back, so that each example starts from scratch."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


verbs = st.sampled_from(["updated", "updated", "deleted", "created"])
lives = st.dictionaries(st.sampled_from("123"), st.lists(verbs, min_size=1, max_size=5), min_size=1)


@given(lives=lives, minutes=st.floats(0, 6), seed=st.randoms(use_true_random=False))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_states_are_those_of_folding_all_events(
    bus: Bus, lives: dict[str, list[str]], minutes: float, seed: Random
) -> None:
    """In whatever order the events were recorded."""
    with undone():
        events = [
            event(number, verb, subject=subject, name=f"{subject}-{number}")
            for subject, life in lives.items()
            for number, verb in enumerate(life, 1)
        ]
        expected = {}
        for one in sorted(events, key=lambda e: e["sequence"]):
            if datetime.fromisoformat(one["time"]) <= at(minutes):
                expected[one["subject"]] = one
        alive = {s: e["data"] for s, e in expected.items() if not e["type"].endswith(".deleted")}
        seed.shuffle(events)
        for one in events:
            bus.send("catalogue.events", json.dumps(one).encode(), key=one["subject"].encode())
        bus.consume()
        found = {state.subject: state.data for state in catalogue("product", at(minutes))}
        assert found == alive


def test_a_transaction_shows_before_and_after(
    record: Callable[..., None], admin_client: Client
) -> None:
    request = {"correlationid": "request-9"}
    record([event(1, "created", name="Pan", price="9.00")])
    record(
        [
            {**event(2, "updated", name="Wok", price="9.00", previous={"name": "Pan"}), **request},
            {**event(1, "created", subject="18", name="Pot"), **request},
            {**event(3, "deleted", name="Wok", price="9.00"), **request},
        ]
    )
    rows = admin_client.get("/api/transactions/request-9/").json()["results"]
    found = {(row["subject"], row["type"]): row for row in rows}
    updated = found["17", "product.updated"]
    assert (updated["before"]["name"], updated["after"]["name"]) == ("Pan", "Wok")
    assert updated["changed"] == [{"field": "name", "old": "Pan", "new": "Wok"}]
    assert found["18", "product.created"]["before"] is None
    assert found["17", "product.deleted"]["after"] is None
    assert found["17", "product.deleted"]["before"]["name"] == "Wok"
    assert admin_client.get("/api/transactions/nothing/").status_code == 404


def test_there_are_no_states_before_the_first_event() -> None:
    assert next(iter(catalogue("product", at(0) - timedelta(days=1))), None) is None
