"""Text in cells: never evaluated, never changed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.servicekit.spreadsheets import defuse, mark, unmark

BEGINNINGS = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
texts = st.builds(
    "".join, st.tuples(st.text(st.sampled_from(["'", *BEGINNINGS]), max_size=3), st.text())
)


@given(texts)
@example("'")
@example("''")
def test_text_survives_a_round_trip(text: str) -> None:
    assert unmark(defuse(text)) == unmark(mark(text)) == text


@given(texts)
def test_no_cell_begins_with_a_formula(text: str) -> None:
    assert not defuse(text).startswith(tuple(BEGINNINGS))


@pytest.mark.parametrize("text", ["", "a=b", "'tis", "1-1", "{}"])
def test_other_text_is_unchanged(text: str) -> None:
    assert defuse(text) == mark(text) == text
