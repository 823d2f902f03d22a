"""No later checkpoint makes a record look intact that contradicts an earlier one."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from unittest import mock
from unittest.mock import MagicMock

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from audit_service.audit.models import AuditEntry, ChainHead, Checkpoint
from audit_service.audit.proof.checkpoints import (
    BadCheckpoint,
    End,
    Statement,
    new_keys,
    opened,
    sign,
    signing_key,
)
from audit_service.audit.tests.tampering import at, change, relink, remove
from audit_service.audit.tests.test_keeping import undone
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

OCTOBER = datetime(2026, 10, 5, tzinfo=UTC)
TOPIC = "order.events"
BUSY, IDLE = 0, 1


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> str:
    settings.AUDIT_SIGNING_KEY, public = new_keys()
    return public


@pytest.fixture
def clock() -> Iterator[MagicMock]:
    """A clock that the fixtures below set forward: entries are old by the next day."""
    with mock.patch("django.utils.timezone.now") as now:
        now.return_value = OCTOBER
        yield now


@pytest.fixture
def record(bus: Bus, clock: MagicMock) -> Callable[..., None]:
    """Record some events in a chain, a day after the previous ones."""
    bus.kafka.create_topic(TOPIC, 2)
    sent: list[None] = []

    def record(count: int, partition: int = BUSY) -> None:
        clock.return_value += timedelta(days=1)
        for _ in range(count):
            sent.append(None)
            event = {"specversion": "1.0", "source": "/shop", "type": "order.placed", "data": {}}
            value = json.dumps({**event, "id": str(len(sent))}).encode()
            bus.send(TOPIC, value, key=b"a" if partition == BUSY else b"d")
        bus.consume()

    return record


def checkpoint(**options: Path) -> None:
    call_command("checkpoint", stdout=StringIO(), **options)


def verify(*words: str) -> tuple[int | str | None, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("verify", *words, stdout=out, stderr=err)
    except SystemExit as exit_:
        return exit_.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


def rewrite(position: int, partition: int = BUSY) -> None:
    """Change an entry, and recompute the links after it and the head."""
    entry = at(position, partition)
    change(entry, actor=f"{entry.actor} forged")
    relink(partition)


def test_a_rewritten_chain_is_not_signed_however_old_the_entry(
    record: Callable[..., None],
) -> None:
    record(4)
    record(2, IDLE)
    checkpoint()
    record(3)
    rewrite(2)
    with pytest.raises(CommandError) as refused:
        checkpoint()
    assert str(refused.value) == (
        f"Not signed: order.events/0 is broken (rewritten since it was signed at 4, entry"
        f" {at(4).pk}); run `verify` for details"
    )
    assert Checkpoint.objects.count() == 1
    assert verify()[0] == 1


def test_a_chain_without_new_entries_is_compared_as_well(
    record: Callable[..., None],
) -> None:
    record(2)
    record(4, IDLE)
    checkpoint()
    record(2)
    rewrite(1, IDLE)
    with pytest.raises(CommandError, match=r"order\.events/1 is broken .rewritten .* at 4"):
        checkpoint()


def test_all_checkpoints_count_not_only_the_last(record: Callable[..., None]) -> None:
    """The last one was signed over a chain that had been rewritten before."""
    record(3)
    checkpoint()
    record(3)
    rewrite(1)
    sign_unseen({BUSY: 6})
    record(1)
    with pytest.raises(CommandError, match=r"order\.events/0 is broken .rewritten .* at 3"):
        checkpoint()
    code, output = verify()
    assert (code, "rewritten since it was signed at 3" in output) == (1, True)


def test_two_checkpoints_that_contradict_each_other_are_a_finding(
    record: Callable[..., None],
) -> None:
    record(3)
    checkpoint()
    rewrite(2)
    sign_unseen({BUSY: 3})
    first, second = Checkpoint.objects.order_by("id")
    finding = (
        f"order.events/0 at 3: checkpoint {first.pk} of {first} and checkpoint {second.pk} of"
        f" {second} were signed over different entries"
    )
    code, output = verify()
    assert (code, finding in output) == (1, True)
    with pytest.raises(CommandError) as refused:
        checkpoint()
    assert str(refused.value) == f"Not signed: {finding}"


def test_checkpoints_of_the_same_second_are_distinguished(record: Callable[..., None]) -> None:
    """They have the same name; the older one states what was recorded."""
    record(3)
    checkpoint()
    rewrite(2)
    sign_unseen({BUSY: 3})
    assert len({str(one) for one in Checkpoint.objects.all()}) == 1
    assert "rewritten since it was signed at 3" in verify()[1]


def test_a_chain_truncated_before_its_last_signed_entry_is_not_signed(
    record: Callable[..., None],
) -> None:
    record(4)
    checkpoint()
    remove(at(4))
    ChainHead.objects.update(position=3, link=at(3).link)
    with pytest.raises(CommandError, match=r"order\.events/0 is broken .removed at 4"):
        checkpoint()


def test_a_chain_removed_with_its_head_is_missed(record: Callable[..., None]) -> None:
    record(2)
    record(2, IDLE)
    checkpoint()
    for entry in AuditEntry.objects.filter(partition=IDLE):
        remove(entry)
    ChainHead.objects.filter(partition=IDLE).delete()
    with pytest.raises(CommandError, match=r"order\.events/1 is broken .removed at 1"):
        checkpoint()


def test_a_head_that_contradicts_what_was_signed_is_found(record: Callable[..., None]) -> None:
    record(3)
    checkpoint()
    ChainHead.objects.update(link=bytes(32))
    code, output = verify()
    assert (code, "rewritten since it was signed at 3" in output) == (1, True)


def test_a_partial_verification_checks_earlier_signed_entries(
    record: Callable[..., None], clock: MagicMock
) -> None:
    record(3)
    checkpoint()
    record(3)
    rewrite(2)
    code, output = verify(f"--since={clock.return_value.isoformat()}")
    assert (code, "rewritten since it was signed at 3" in output) == (1, True)


def test_intact_chains_can_be_signed_repeatedly(record: Callable[..., None]) -> None:
    for _ in range(3):
        record(2)
        record(1, IDLE)
        checkpoint()
    record(1)
    checkpoint()
    assert verify()[0] == 0


@pytest.fixture
def pruned(record: Callable[..., None], clock: MagicMock, tmp_path: Path) -> None:
    """Three entries of October are pruned. One checkpoint covers two of them, another one all."""
    record(2)
    checkpoint(output=tmp_path / "first")
    record(1)
    clock.return_value = datetime(2026, 11, 5, tzinfo=UTC)
    record(2)
    checkpoint(output=tmp_path / "second")
    call_command("prune", "--before=2026-11", stdout=StringIO())
    assert AuditEntry.objects.count() == 2


def test_pruned_entries_are_trusted_if_they_were_signed(
    pruned: None, record: Callable[..., None]
) -> None:
    assert verify()[0] == 0
    record(1)
    checkpoint()
    assert verify()[0] == 0


def test_pruning_beyond_the_last_signed_entry_is_found(
    pruned: None, record: Callable[..., None]
) -> None:
    record(3)
    last = at(7)
    ChainHead.objects.update(pruned_position=7, pruned_link=last.link)
    for position in range(4, 8):
        remove(at(position))
    code, output = verify()
    assert (code, "pruned beyond the last signed entry at 7" in output) == (1, True)
    with pytest.raises(CommandError, match="pruned beyond the last signed entry at 7"):
        checkpoint()


def test_the_head_must_agree_with_what_was_signed_of_the_last_pruned_entry(pruned: None) -> None:
    for position in (4, 5):
        remove(at(position))
    ChainHead.objects.update(pruned_position=5, pruned_link=bytes(32), position=5, link=bytes(32))
    code, output = verify()
    assert (code, "rewritten since it was signed at 5" in output) == (1, True)


def test_checkpoints_of_pruned_entries_are_compared_with_each_other(pruned: None) -> None:
    [first, _] = Checkpoint.objects.order_by("id")
    contradict(BUSY, 2)
    code, output = verify()
    assert (code, f"order.events/0 at 2: checkpoint {first.pk}" in output) == (1, True)


def test_nothing_is_pruned_while_checkpoints_contradict_each_other(
    record: Callable[..., None], clock: MagicMock, tmp_path: Path
) -> None:
    record(3)
    checkpoint(output=tmp_path / "checkpoint")
    contradict(BUSY, 3)
    clock.return_value += timedelta(days=60)
    with pytest.raises(CommandError, match=r"at 3: .* different entries\. Nothing was deleted"):
        call_command("prune", "--before=2026-11")
    assert AuditEntry.objects.count() == 3


def test_nothing_is_pruned_that_contradicts_an_unexported_checkpoint(
    record: Callable[..., None], clock: MagicMock, tmp_path: Path
) -> None:
    record(3)
    checkpoint()
    rewrite(2)
    record(1)
    sign_unseen({BUSY: 4}, exported=True)
    clock.return_value += timedelta(days=60)
    with pytest.raises(CommandError, match=r"order\.events/0 is broken"):
        call_command("prune", "--before=2026-11")
    assert AuditEntry.objects.count() == 4


def test_checkpoint_files_are_compared_without_a_database(
    record: Callable[..., None], keys: str, tmp_path: Path
) -> None:
    record(3)
    old, new, other = (tmp_path / name for name in ("old", "new", "other"))
    checkpoint(output=old)
    record(1)
    checkpoint(output=new)
    check(keys, old, new)
    other.write_text(contradict(BUSY, 4).envelope)
    with pytest.raises(CommandError, match=rf"order\.events/0 at 4: {new} and {other} were"):
        check(keys, old, new, other)


def check(keys: str, *files: Path) -> None:
    call_command("check_checkpoint", *map(str, files), key=keys, stdout=StringIO())


def test_an_inconsistent_statement_is_not_a_checkpoint() -> None:
    end = End(TOPIC, 0, 1, "00" * 32)
    twice = sign(Statement(OCTOBER, [end, End(TOPIC, 0, 2, "11" * 32)]), signing_key())
    with pytest.raises(BadCheckpoint, match="lists a chain more than once"):
        opened(twice, [signing_key().public_key()])
    for wrong in (End(TOPIC, 0, 1, "no hash"), End(TOPIC, 0, -1, "00" * 32)):
        with pytest.raises(BadCheckpoint, match="not a checkpoint"):
            opened(sign(Statement(OCTOBER, [wrong]), signing_key()), [signing_key().public_key()])


def test_an_exported_checkpoint_is_never_overwritten(
    record: Callable[..., None], tmp_path: Path
) -> None:
    record(1)
    file = tmp_path / "checkpoint"
    checkpoint(output=file)
    content = file.read_bytes()
    with pytest.raises(CommandError, match=f"Not signed: {file} exists"):
        checkpoint(output=file)
    assert (file.read_bytes(), Checkpoint.objects.count()) == (content, 1)


def test_a_checkpoint_that_cannot_be_exported_is_stored_anyway(
    record: Callable[..., None], tmp_path: Path
) -> None:
    record(1)
    with pytest.raises(CommandError, match=r"Signed, but not exported: .*No such file"):
        checkpoint(output=tmp_path / "nowhere" / "checkpoint")
    assert Checkpoint.objects.get().exported_at is None


def sign_unseen(positions: dict[int, int], *, exported: bool = False) -> Checkpoint:
    """Sign heads as `checkpoint` would without verifying the record."""
    ends = [End(TOPIC, p, n, bytes(at(n, p).link).hex()) for p, n in positions.items()]
    return kept(ends, exported=exported)


def contradict(partition: int, position: int) -> Checkpoint:
    """Store a validly signed checkpoint of an entry that never existed."""
    return kept([End(TOPIC, partition, position, "ab" * 32)])


def kept(ends: list[End], *, exported: bool = False) -> Checkpoint:
    now = datetime.now(UTC)
    envelope = sign(Statement(now, ends), signing_key()).decode()
    return Checkpoint.objects.create(
        created_at=Checkpoint.objects.latest("id").created_at,
        envelope=envelope,
        exported_at=now if exported else None,
    )


steps = st.lists(
    st.tuples(st.sampled_from(["record", "sign", "rewrite"]), st.integers(1, 4)),
    min_size=4,
    max_size=10,
)


@given(steps=steps)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_rewriting_signed_entries_is_always_found(
    record: Callable[..., None], clock: MagicMock, steps: list[tuple[str, int]]
) -> None:
    """Entries that are rewritten before they were signed cannot be detected."""
    with undone():
        signed = total = 0
        is_forged = False
        for step, number in steps:
            if step == "record":
                record(number)
                total += number
            elif step == "rewrite" and number <= total:
                rewrite(number)
                is_forged = is_forged or number <= signed
            elif step == "sign" and total:
                clock.return_value += timedelta(days=1)
                try:
                    checkpoint()
                except CommandError:
                    assert is_forged
                else:
                    assert not is_forged
                    signed = total
        assert (verify()[0] == 1) == is_forged
