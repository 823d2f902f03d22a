"""Whatever is done through Django's ORM, folding the events gives the table."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings

from common.tests.capture.histories import (
    OPERATIONS,
    RAW_OPERATIONS,
    History,
    check,
    histories,
    told,
)
from common.tests.capture.saved import events
from common.tests.capture.saved.models import Counted, Ware

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]

MODELS = {"auto": (Ware, events.Wares), "own counter": (Counted, events.Counteds)}


@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - RAW_OPERATIONS.keys()))
def test_each_operation(captured: Any, name: str) -> None:
    history = History(*captured)
    shelved = [("save new", {0, 1, 2}, 1), ("shelve", {0, 1, 2}, 0)]
    history.play([*shelved, *((name, {1, 2, 3}, value) for value in (1, 1, 3))])


class NothingSaved(Exception):
    """Another one was faster to delete the row."""


@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("value", [1, 2], ids=["bulk_create", "save"])
def test_a_key_that_is_used_again_continues_its_sequence(captured: Any, value: int) -> None:
    history = History(*captured)
    history.play([("save new", {1, 2}, 1), ("delete", {1, 2}, 3), ("create again", {1, 2}, value)])
    assert told(captured[1])


def play_one(history: History, operation: Any) -> None:
    try:
        history.play([operation])
    except DatabaseError as error:
        if "did not affect any rows" in str(error):
            raise NothingSaved from error
        raise


def write_for_a_while(model: Any, seed: int) -> None:
    """In a thread and a session of its own, each operation in its own transaction."""
    chance = Random(seed)
    names = sorted(OPERATIONS.keys() - RAW_OPERATIONS.keys() - {"delete a shelf"})
    try:
        history = History(model)
        for _ in range(25):
            chosen = {number for number in range(5) if chance.random() < 0.5}
            operation = (chance.choice(names), chosen, chance.randrange(4))
            with suppress(IntegrityError, NothingSaved):
                play_one(history, operation)
    finally:
        connection.close()


@pytest.mark.only_on("postgresql")  # SQLite has one writer at a time
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
def test_writers_at_the_same_time_leave_no_gap(captured: Any) -> None:
    model, publication = captured
    History(model)
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write_for_a_while, model, seed) for seed in range(4)]
        for one in writing:
            one.result()
    check(publication)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(raw=False))
@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
def test_any_history_is_told_as_it_was(captured: Any, operations: list[Any]) -> None:
    with transaction.atomic():
        history = History(*captured)
        history.play(operations)
        check(captured[1])
        transaction.set_rollback(True)
