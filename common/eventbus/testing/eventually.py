"""Wait in a test for what another thread or process does."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

PATIENCE_SECONDS = 30.0

T = TypeVar("T")


def eventually(what: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy result; the test fails if there is none in time.

    :param what: called repeatedly.
    :param seconds: the timeout.
    """
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            pytest.fail(f"timed out after {seconds:.0f} s; the last result was {found!r}")
        time.sleep(0.02)
    return found
