"""Waiting in a test for what another thread or process does."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

PATIENCE_SECONDS = 30.0

T = TypeVar("T")


def eventually(what: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """The first true answer; the test fails when none comes in time.

    :param what: asked again and again.
    :param seconds: how long at the most.
    """
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            pytest.fail(f"nothing after {seconds:.0f} s; the last answer was {found!r}")
        time.sleep(0.02)
    return found
