"""Times that every database, time zone and page can represent."""

import re
from datetime import UTC, datetime

EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""Python's calendar spans the years 1 to 9999, and psycopg reads nothing outside it, although
PostgreSQL can store it. A year of margin at both ends leaves room for time zone offsets and for
quiet hours, digests and windows, which add days. A time outside is not when an event happened but
some platform's value for "not set", such as .NET's ``DateTime.MinValue``."""

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_LEAP_YEAR_CYCLE = 400


def is_holdable(moment: datetime) -> bool:
    """Whether an aware time can be converted, stored and displayed everywhere."""
    return EARLIEST <= moment < LATEST


def is_rfc3339(text: str) -> bool:
    """Whether a text is an RFC 3339 time (section 5.6), even one that Python cannot represent.

    Those are the year 0000, leap seconds, and fractions that round into the year 10000.
    """
    if not (found := _RFC_3339.fullmatch(text)):
        return False
    year, month, day = (int(found[group]) for group in (1, 2, 3))
    try:
        # Another year with the same calendar: Python has no year 0.
        datetime(_LEAP_YEAR_CYCLE + year % _LEAP_YEAR_CYCLE, month, day, tzinfo=UTC)
    except ValueError:
        return False
    return True
