"""What the commands share: words that they understand, and the bar that shows how far they are."""

from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.utils.timezone import is_naive, make_aware
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError("must be a whole number, at least 1")
    return number


def words(text: str) -> list[str]:
    """What stands between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str) -> list[int]:
    """The whole numbers between commas."""
    try:
        return [int(word) for word in words(text)]
    except ValueError:
        raise ArgumentTypeError("must be whole numbers with commas between") from None


def moment(text: str) -> datetime:
    """A moment in ISO 8601; without an offset, in the time zone of the settings."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("not ISO 8601, such as 2026-11-01T00:00Z") from None
    return make_aware(when) if is_naive(when) else when


def console(file: Any) -> Console:
    """What tables are printed on. Square brackets in what they show are just that, no markup.

    :param file: such as a command's ``stdout``.
    """
    return Console(file=file, markup=False, emoji=False, highlight=False)


def progress() -> Progress:
    """A bar on standard error, with how many of how many, and the time that is left."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
