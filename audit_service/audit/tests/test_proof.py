"""The record proves that it is intact, or names the first position where it is not."""

import json
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from pytest_django import Settings

from audit_service.audit.models import AuditEntry, ChainHead, Checkpoint
from audit_service.audit.proof.checkpoints import new_keys
from audit_service.audit.proof.verification import Break, How, Verification
from audit_service.audit.record.sealed import sealed
from audit_service.audit.record.sealing import SEALED, link, seal
from audit_service.audit.tests.tampering import (
    at,
    change,
    insert_copy,
    relink,
    remove,
    shift,
    swap_positions,
)
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db
COUNT = 9


@pytest.fixture
def recorded(bus: Bus) -> tuple[int, int]:
    """Two chains of one topic."""
    bus.kafka.create_topic("order.events", 2)
    for number in range(1, COUNT + 1):
        for partition, key in enumerate((b"a", b"d")):
            event = {
                "specversion": "1.0",
                "id": f"{partition}-{number}",
                "source": "/shop",
                "type": "order.placed",
                "subject": "ü",
                "data": {},
            }
            bus.send("order.events", json.dumps(event).encode(), key=key)
    bus.consume(batch_size=3)
    partitions = AuditEntry.objects.order_by("partition").values_list("partition", flat=True)
    first, second = set(partitions)
    return first, second


def broken(since: datetime | None = None) -> list[Break]:
    chains = Verification(since, None, {}).run(lambda number: None)
    return [chain.broken for chain in chains if chain.broken]


def verify(*words: str) -> tuple[int | str | None, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("verify", *words, stdout=out, stderr=err)
    except SystemExit as exit_:
        return exit_.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


@pytest.fixture
def partition(recorded: tuple[int, int]) -> int:
    """The partition whose chain is tampered with; the other one stays intact."""
    return recorded[0]


def test_an_untouched_record_is_intact(recorded: tuple[int, int]) -> None:
    code, output = verify()
    assert code == 0
    assert f"{2 * COUNT} entries verified; all chains are intact." in output
    assert [head.position for head in ChainHead.objects.all()] == [COUNT, COUNT]


def test_links_match_their_documentation(partition: int) -> None:
    """Reading by COPY on PostgreSQL gives the same bytes as sealing the fields."""
    previous = bytes(32)
    for entry, read in zip(
        AuditEntry.objects.filter(partition=partition).order_by("id"),
        sealed(AuditEntry.objects.filter(partition=partition)),
        strict=True,
    ):
        row = [getattr(entry, name) for name in SEALED[:-1]]
        assert read.bytes == seal([*row, bytes(entry.value)])
        assert read.key == ("order.events", partition)
        assert (read.id, read.position) == (entry.pk, entry.position)
        previous = link(previous, read.bytes)
        assert previous == bytes(entry.link) == read.link


@pytest.mark.parametrize("field", sorted({*SEALED, "link"} - {"topic", "partition"}))
def test_a_change_of_any_field_is_found(partition: int, field: str) -> None:
    entry = at(4, partition)
    new = {
        "offset": 77,
        "sequence": 5,
        "time": entry.recorded_at,
        "recorded_at": entry.recorded_at.replace(microsecond=1),
        "value": bytes(entry.value)[:-1] + b" ",
        "link": bytes(32),
    }.get(field, "forged")
    change(entry, **{field: new})
    [found] = broken()
    assert (found.how, found.position, found.entry_id) == (How.CHANGED, 4, entry.pk)


@pytest.mark.parametrize("place", [{"topic": "other.events"}, {"partition": 99}])
def test_an_entry_moved_to_another_chain_is_missing_in_its_own(
    partition: int, place: dict[str, Any]
) -> None:
    change(at(4, partition), **place)
    here, there = sorted(broken(), key=lambda found: found.how != How.REMOVED)
    assert (here.how, here.position) == (How.REMOVED, 4)
    assert there.how == How.INSERTED


@pytest.mark.parametrize("position", [1, 5, COUNT])
def test_a_removed_entry_is_found(partition: int, position: int) -> None:
    remove(at(position, partition))
    [found] = broken()
    assert (found.how, found.position) == (How.REMOVED, position)


def test_a_removed_entry_whose_followers_were_renumbered_is_found(partition: int) -> None:
    remove(at(5, partition))
    shift(partition, after=5, by=-1)
    [found] = broken()
    assert (found.how, found.position) == (How.REMOVED, 5)


@pytest.mark.parametrize("position", [1, 5, COUNT])
def test_an_inserted_entry_is_found(partition: int, position: int) -> None:
    shift(partition, after=position - 1, by=1)
    forged = insert_copy(at(position + 1, partition), position)
    [found] = broken()
    assert (found.how, found.position, found.entry_id) == (How.INSERTED, position, forged.pk)


def test_an_appended_entry_is_found_even_with_a_valid_link(partition: int) -> None:
    last = at(COUNT, partition)
    previous = bytes(last.link)
    forged = insert_copy(last, COUNT + 1)
    row = [getattr(forged, name) for name in SEALED[:-1]]
    change(forged, link=link(previous, seal([*row, bytes(forged.value)])))
    [found] = broken()
    assert (found.how, found.position) == (How.INSERTED, COUNT + 1)


@pytest.mark.parametrize("positions", [(2, 3), (2, 7), (1, COUNT)])
def test_moved_entries_are_found(partition: int, positions: tuple[int, int]) -> None:
    first, second = (at(position, partition) for position in positions)
    swap_positions(first, second)
    [found] = broken()
    assert (found.how, found.position) == (How.MOVED, positions[0])


def test_a_removed_chain_is_found(partition: int) -> None:
    for entry in AuditEntry.objects.filter(partition=partition):
        remove(entry)
    [found] = broken()
    assert (found.how, found.position) == (How.REMOVED, 1)


def test_verification_of_a_single_partition(recorded: tuple[int, int]) -> None:
    first, second = recorded
    change(at(4, first), actor="forged")
    code, output = verify(f"--partition=order.events/{second}")
    assert (code, f"{COUNT} entries verified" in output) == (0, True)
    code, output = verify(f"--partition=order.events/{first}")
    assert code == 1
    assert "changed at 4" in output
    assert "1 of 1 chains are broken" in output
    with pytest.raises(CommandError, match=r"No entries for order\.events/99"):
        verify("--partition=order.events/99")


def test_entries_older_than_requested_are_trusted(partition: int) -> None:
    change(at(2, partition), actor="forged")
    moment = at(7, partition).recorded_at
    assert [found.position for found in broken()] == [2]
    assert broken(since=moment) == []
    remove(at(COUNT, partition))
    for since in (moment, moment.replace(year=2999)):
        [found] = broken(since=since)
        assert (found.how, found.position) == (How.REMOVED, COUNT)


@given(data=st.data())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_single_change_is_found_at_its_position(partition: int, data: DataObject) -> None:
    """A single flipped bit of the value, at any place."""
    position = data.draw(st.integers(1, COUNT))
    entry = at(position, partition)
    value = bytearray(entry.value)
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    before = bytes(entry.value)
    change(entry, value=bytes(value))
    [found] = broken()
    change(entry, value=before)
    assert (found.how, found.position, found.entry_id) == (How.CHANGED, position, entry.pk)
    assert broken() == []


def test_postgresql_rejects_update_and_delete(recorded: tuple[int, int]) -> None:
    if connection.vendor != "postgresql":
        return  # the trigger exists on PostgreSQL only
    for attempt in (
        lambda: AuditEntry.objects.update(actor="forged"),
        lambda: AuditEntry.objects.filter(position=1).delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()
    assert AuditEntry.objects.count() == 2 * COUNT


@pytest.fixture
def keys(settings: Settings) -> str:
    settings.AUDIT_SIGNING_KEY, public = new_keys()
    return public


def test_a_checkpoint_can_be_checked_without_the_database(
    recorded: tuple[int, int], keys: str, tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "checkpoint.json"
    call_command("checkpoint", output=file, stdout=StringIO())
    settings.AUDIT_SIGNING_KEY = ""
    out = StringIO()
    call_command("check_checkpoint", str(file), key=keys, stdout=out)
    assert f"order.events/{recorded[0]}" in out.getvalue().replace("\n", "")
    with pytest.raises(CommandError, match="not signed by any of the trusted keys"):
        call_command("check_checkpoint", str(file), key=new_keys()[1])
    with pytest.raises(CommandError, match="Set AUDIT_PUBLIC_KEYS"):
        call_command("check_checkpoint", str(file))
    forged = file.read_text().replace("payload", "Payload", 1)
    file.write_text(forged)
    with pytest.raises(CommandError, match="not a checkpoint"):
        call_command("check_checkpoint", str(file), key=keys)


def test_a_record_that_was_rewritten_contradicts_its_checkpoint(
    recorded: tuple[int, int], keys: str, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoint.json"
    call_command("checkpoint", output=file, stdout=StringIO())
    Checkpoint.objects.all().delete()
    rewrite(recorded[0])
    assert verify()[0] == 0
    code, output = verify(f"--checkpoint={file}")
    assert code == 1
    assert f"rewritten since it was signed at {COUNT}" in output


def test_a_record_truncated_with_its_head_contradicts_its_checkpoint(
    recorded: tuple[int, int], keys: str
) -> None:
    call_command("checkpoint", stdout=StringIO())
    remove(at(COUNT, recorded[0]))
    before = at(COUNT - 1, recorded[0])
    ChainHead.objects.filter(partition=recorded[0]).update(position=COUNT - 1, link=before.link)
    code, output = verify()
    assert (code, f"removed at {COUNT}" in output) == (1, True)


def rewrite(partition: int) -> None:
    """Change an entry, and recompute all links and the head."""
    change(at(2, partition), actor="forged")
    relink(partition)


def test_a_broken_chain_is_not_signed(recorded: tuple[int, int], keys: str) -> None:
    change(at(4, recorded[0]), actor="forged")
    with pytest.raises(CommandError, match=rf"order\.events/{recorded[0]} is broken"):
        call_command("checkpoint")
    assert not Checkpoint.objects.exists()


def test_a_checkpoint_continues_from_the_last_one(
    recorded: tuple[int, int], keys: str, bus: Bus
) -> None:
    call_command("checkpoint", stdout=StringIO())
    bus.send("order.events", EVENT, key=b"a")
    bus.consume()
    call_command("checkpoint", stdout=StringIO())
    assert Checkpoint.objects.count() == 2
    assert verify()[0] == 0
    rewrite(recorded[0])
    with pytest.raises(CommandError, match="is broken"):
        call_command("checkpoint")


EVENT = b'{"specversion":"1.0","id":"new","source":"/shop","type":"order.placed","data":{}}'


def test_a_checkpoint_without_a_trusted_signature_is_reported(
    recorded: tuple[int, int], keys: str, settings: Settings
) -> None:
    call_command("checkpoint", stdout=StringIO())
    settings.AUDIT_SIGNING_KEY = new_keys()[0]
    code, output = verify()
    assert (code, "not signed by any of the trusted keys" in output) == (1, True)


def test_an_invalid_key_is_reported_without_revealing_it(
    recorded: tuple[int, int], settings: Settings
) -> None:
    with pytest.raises(CommandError, match="AUDIT_SIGNING_KEY is not set"):
        call_command("checkpoint")
    settings.AUDIT_SIGNING_KEY = "tooshort"
    with pytest.raises(CommandError, match="not 32 bytes") as caught:
        call_command("checkpoint")
    assert "tooshort" not in str(caught.value)
