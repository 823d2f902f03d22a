"""The oracle of the fault tests detects every kind of flaw."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.rig.ledger import Account, compare

VERSIONS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 8), min_size=1)


def whole(versions: dict[str, int]) -> dict[str, list[int]]:
    return {key: list(range(1, version + 1)) for key, version in versions.items()}


def account(versions: dict[str, int], entries: dict[str, list[int]]) -> Account:
    return compare(versions, entries, waiting=0, parked=0)


@given(VERSIONS)
def test_a_whole_record_is_flawless(versions: dict[str, int]) -> None:
    assert account(versions, whole(versions)).flawless


@given(VERSIONS, st.randoms())
def test_one_that_is_missing_is_lost(versions: dict[str, int], chance: random.Random) -> None:
    entries = whole(versions)
    numbers = entries[chance.choice(sorted(entries))]
    numbers.remove(chance.choice(numbers))
    found = account(versions, entries)
    assert (found.lost, found.doubled, found.out_of_order, found.flawless) == (1, 0, 0, False)


@given(VERSIONS, st.randoms())
def test_one_that_is_there_twice_is_doubled(
    versions: dict[str, int], chance: random.Random
) -> None:
    entries = whole(versions)
    numbers = entries[chance.choice(sorted(entries))]
    numbers.append(chance.choice(numbers))
    found = account(versions, entries)
    assert (found.lost, found.doubled, found.flawless) == (0, 1, False)


@given(VERSIONS, st.randoms())
def test_two_that_changed_places_are_out_of_order(
    versions: dict[str, int], chance: random.Random
) -> None:
    versions["a"] = 8
    entries = whole(versions)
    first = chance.randrange(7)
    entries["a"][first : first + 2] = reversed(entries["a"][first : first + 2])
    found = account(versions, entries)
    assert (found.lost, found.doubled, found.out_of_order, found.flawless) == (0, 0, 1, False)


@given(VERSIONS)
def test_one_that_nobody_committed_is_invented(versions: dict[str, int]) -> None:
    entries = whole(versions)
    entries["a"] = [*entries.get("a", []), versions.get("a", 0) + 1]
    found = account(versions, entries)
    assert (found.lost, found.invented, found.flawless) == (0, 1, False)


def test_a_row_that_waits_in_the_outbox_is_a_flaw() -> None:
    assert not compare({"a": 1}, {"a": [1]}, waiting=1, parked=0).flawless
