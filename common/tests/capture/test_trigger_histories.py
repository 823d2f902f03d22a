"""Whatever is done to a table, by whom it may be, folding the events gives the table."""

import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings

from common.tests.capture import triggered
from common.tests.capture.histories import OPERATIONS, History, check, histories
from common.tests.capture.saved import events as saved_events
from common.tests.capture.saved.models import Counted, Ware
from common.tests.capture.triggered import events
from common.tests.capture.triggered.models import Item, Piece
from eventbus.outbox.models import OutboxEvent

MODELS = {"auto": (Piece, events.Pieces), "own counter": (Item, events.Items)}
ALIKE = {
    "auto": (Piece, events.Pieces, Ware, saved_events.Wares),
    "own counter": (Item, events.Items, Counted, saved_events.Counteds),
}
postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'")


@pytest.fixture(autouse=True)
def every_contract(settings, saved_contracts):
    """Those of both captures."""
    named = [*settings.EVENTBUS["PUBLISHES"], f"{triggered.__name__}.contracts"]
    settings.EVENTBUS = {**settings.EVENTBUS, "PUBLISHES": named}


@pytest.mark.django_db
@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_operation(captured, name):
    history = History(*captured)
    shelved = [("save new", {0, 1, 2}, 1), ("shelve", {0, 1, 2}, 0)]
    history.play([*shelved, *((name, {1, 2, 3}, value) for value in (1, 1, 3))])


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(raw=True))
@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
def test_any_history_is_told_as_it_was(captured, operations):
    with transaction.atomic():
        history = History(*captured)
        history.play(operations)
        check(captured[1])
        transaction.set_rollback(True)
