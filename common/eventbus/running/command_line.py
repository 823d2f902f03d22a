"""Shared by the commands: argument types, and the progress bar."""

from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.utils.timezone import is_naive, make_aware
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn


def positive(text: str) -> int:
    """Argument type: a positive integer."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError("must be an integer of at least 1")
    return number


def words(text: str) -> list[str]:
    """Argument type: comma-separated words."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers(text: str) -> list[int]:
    """Argument type: comma-separated integers."""
    try:
        return [int(word) for word in words(text)]
    except ValueError:
        raise ArgumentTypeError("must be comma-separated integers") from None


def moment(text: str) -> datetime:
    """Argument type: an ISO 8601 time; without an offset, in the ``TIME_ZONE`` of the settings."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("must be an ISO 8601 time, such as 2026-11-01T00:00Z") from None
    return make_aware(when) if is_naive(when) else when


def console(file: Any) -> Console:
    """A console for tables, which prints square brackets literally instead of as markup.

    :param file: such as a command's ``stdout``.
    """
    return Console(file=file, markup=False, emoji=False, highlight=False)


def progress() -> Progress:
    """A progress bar on standard error, with counts and the remaining time."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
