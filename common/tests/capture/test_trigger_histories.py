"""Whatever is done to a table, by whom it may be, folding the events gives the table."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
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


@pytest.fixture(autouse=True)
def every_contract(settings: Any, saved_contracts: None) -> Any:
    """Those of both captures."""
    named = [*settings.EVENTBUS["PUBLISHES"], f"{triggered.__name__}.contracts"]
    settings.EVENTBUS = {**settings.EVENTBUS, "PUBLISHES": named}


@pytest.mark.django_db
@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_operation(captured: Any, name: str) -> None:
    history = History(*captured)
    shelved = [("save new", {0, 1, 2}, 1), ("shelve", {0, 1, 2}, 0)]
    history.play([*shelved, *((name, {1, 2, 3}, value) for value in (1, 1, 3))])


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(raw=True))
@pytest.mark.parametrize("captured", MODELS.values(), ids=MODELS)
def test_any_history_is_told_as_it_was(captured: Any, operations: list[Any]) -> None:
    with transaction.atomic():
        history = History(*captured)
        history.play(operations)
        check(captured[1])
        transaction.set_rollback(True)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(raw=False))
@pytest.mark.parametrize("alike", ALIKE.values(), ids=ALIKE)
def test_both_captures_tell_the_same(alike: Any, operations: list[Any]) -> None:
    model, publication, other_model, other_publication = alike
    repeatable = _without_random(operations)
    with transaction.atomic():
        History(model, publication).play(repeatable)
        History(other_model, other_publication).play(repeatable)
        assert _in_short(publication) == _in_short(other_publication)
        transaction.set_rollback(True)


def _without_random(operations: list[Any]) -> list[Any]:
    return [
        (name, _without_random(details[0])) if name in ("kept", "rolled back") else (name, *details)
        for name, *details in operations
        if name != "update computed"
    ]


def _in_short(publication: Any) -> list[list[Any]]:
    """The events of each subject, without the keys that the database gave out."""
    found: dict[str, list[Any]] = {}
    for event in OutboxEvent.objects.filter(aggregatetype=publication.event).order_by("position"):
        values = json.loads(event.payload)["data"]
        place = (event.type.partition(".")[2], event.sequence)
        found.setdefault(event.aggregateid, []).append((*place, *_without_keys(values)))
    return sorted(found.values(), key=lambda events: json.dumps(events, sort_keys=True))


def _without_keys(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for seen in (values, values.get("previous") or {}):
        kept = {name: seen[name] for name in ("sku", "name", "price", "amount") if name in seen}
        yield {**kept, "shelf": seen["shelf"] is not None} if "shelf" in seen else kept
