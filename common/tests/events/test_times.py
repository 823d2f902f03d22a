"""Times at the edge of the calendar: valid ones are accepted, unrepresentable ones dropped."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.tests.events.modes import SMALLEST
from eventbus.events import Envelope, InvalidEvent, decode
from eventbus.events.times import EARLIEST, LATEST, is_rfc3339

UNHOLDABLE = [
    "0001-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "0001-12-31T23:59:59Z",
    "0000-02-29T00:00:00Z",
    "9999-01-01T00:00:00Z",
    "9999-12-31T23:59:59-01:00",
    "9999-12-31T23:59:59.9999999Z",
    "2016-12-31T23:59:60Z",
    "2017-01-01T00:59:60.5+01:00",
]
HELD = [
    ("0002-01-01T00:00:00Z", EARLIEST),
    ("9998-12-31T23:59:59Z", datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ("2026-11-01t12:00:00.123456789z", datetime(2026, 11, 1, 12, 0, 0, 123457, tzinfo=UTC)),
    ("2026-11-01T12:00:00-00:00", datetime(2026, 11, 1, 12, tzinfo=UTC)),
    ("2026-11-01T12:00:00+23:59", datetime(2026, 10, 31, 12, 1, tzinfo=UTC)),
]
INVALID = [
    "yesterday",
    "",
    "2026-11-01",
    "2026-11-01T12:00:00",
    "2026-11-01T24:00:00Z",
    "2026-11-01T12:00:61Z",
    "2026-02-30T12:00:60Z",
    "0000-02-30T12:00:00Z",
    "2026-11-01T12:00:00+24:00",
    "2026-11-01T12:00:00+00:00:30",
    "10000-01-01T00:00:00Z",
    "٢٠٢٦-11-01T12:00:60Z",
]


def in_both_modes(time: str) -> Iterator[Callable[[], Envelope]]:
    yield lambda: decode(json.dumps({**SMALLEST, "time": time}).encode())
    headers = [(f"ce_{name}", text.encode()) for name, text in {**SMALLEST, "time": time}.items()]
    yield lambda: decode(b"", headers)


@pytest.mark.parametrize("time", UNHOLDABLE)
def test_a_valid_time_that_cannot_be_held_is_left_out(time: str) -> None:
    for read in in_both_modes(time):
        envelope = read()
        assert (envelope.id, envelope.time) == ("1", None)


@pytest.mark.parametrize(("time", "moment"), HELD)
def test_a_time_with_a_year_of_margin_is_held(time: str, moment: datetime) -> None:
    for read in in_both_modes(time):
        assert read().time == moment


@pytest.mark.parametrize("time", INVALID)
def test_an_invalid_time_is_refused_by_name(time: str) -> None:
    assert not is_rfc3339(time)
    for read in in_both_modes(time):
        with pytest.raises(InvalidEvent, match="time"):
            read()


@given(st.datetimes(EARLIEST.replace(tzinfo=None), timezones=st.timezones()))
def test_every_time_of_a_year_that_is_held_comes_through(moment: datetime) -> None:
    text = moment.replace(microsecond=0).astimezone(UTC).isoformat()
    assert is_rfc3339(text)
    for read in in_both_modes(text):
        assert read().time in (None, datetime.fromisoformat(text))


def test_what_is_held_can_be_shown_in_every_zone() -> None:
    for name in available_timezones():
        for moment in (EARLIEST, LATEST):
            assert moment.astimezone(ZoneInfo(name)).isoformat()
