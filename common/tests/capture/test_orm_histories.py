"""Whatever is done through Django's ORM, folding the events gives the table."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings

from common.tests.capture.histories import OPERATIONS, RAW_OPERATIONS, History, check, histories
from common.tests.capture.saved import events
from common.tests.capture.saved.models import Counted, Ware

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]

MODELS = {"auto": (Ware, events.Wares), "own counter": (Counted, events.Counteds)}


@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - RAW_OPERATIONS.keys()))
def test_each_operation(captured, name):
    history = History(*captured)
    shelved = [("save new", {0, 1, 2}, 1), ("shelve", {0, 1, 2}, 0)]
    history.play([*shelved, *((name, {1, 2, 3}, value) for value in (1, 1, 3))])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(raw=False))
@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
def test_any_history_is_told_as_it_was(captured, operations):
    with transaction.atomic():
        history = History(*captured)
        history.play(operations)
        check(captured[1])
        transaction.set_rollback(True)
