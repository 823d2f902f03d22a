"""Faults injected through environment variables.

``HOLD_INSIDE`` and ``HOLD_COMMITTED`` are paths of files. The worker's first batch creates the
file, inside its open transaction or just after the commit, and continues once it is deleted.
``POISON`` is a path too: while the file exists, an event that sets a product's description to
*poison* fails.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from django.db import transaction
from msgspec import UNSET

from common.contracts.product import ProductUpdated
from eventbus.events import AnyEvent, Event
from eventbus.inbox import subscribe

batches = count()


@subscribe(AnyEvent, batch=True)
def hold(events: list[Event[Any]]) -> None:
    holds: dict[str, Callable[[Callable[[], None]], None]] = {
        "HOLD_INSIDE": lambda wait: wait(),
        "HOLD_COMMITTED": transaction.on_commit,
    }
    for variable, when in holds.items():
        if variable in os.environ and next(batches) == 0:
            when(partial(wait_while_there, Path(os.environ[variable]), len(events)))


def wait_while_there(path: Path, events: int) -> None:
    path.write_text(str(events))
    while path.exists():
        time.sleep(0.02)


@subscribe(ProductUpdated)
def choke(event: Event[ProductUpdated]) -> None:
    poison = os.environ.get("POISON")
    became = event.data.description == "poison" and event.data.previous.description is not UNSET
    if poison and became and Path(poison).exists():
        raise ValueError("this change is poison")
