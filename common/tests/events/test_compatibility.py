"""What breaks readers is seen."""

from copy import deepcopy
from typing import Annotated

import pytest
from msgspec import Meta

from eventbus.events import Contract
from eventbus.events.asyncapi import document
from eventbus.events.compatibility import breaking_changes


class Placed(Contract, frozen=True, kw_only=True):
    """Somebody ordered something."""

    id: Annotated[int, Meta(description="Its number.")]
    note: str | None = None


Placed.event_type, Placed.topic, Placed.major_version, Placed.example = (
    "order.placed",
    "orders",
    1,
    {},
)


@pytest.fixture
def released() -> dict:
    return document("Orders", "1.0.0", [Placed])


def test_what_is_the_same_or_only_has_more_is_fine(released):
    current = deepcopy(released)
    schema = current["components"]["schemas"]["Placed"]
    schema["properties"]["colour"] = {"type": "string"}
    schema["properties"]["id"]["description"] = "The number of it."
    assert breaking_changes(released, current) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda s: s["properties"].pop("note"), "Placed.note: the field is gone"),
        (lambda s: s["properties"]["id"].update(type="string"), "Placed.id: the field was of"),
        (lambda s: s["required"].remove("id"), "Placed.id: it may be missing now"),
        (lambda s: s["required"].append("note"), "Placed.note: it may not be missing now"),
    ],
)
def test_a_field_that_readers_count_on_is_missed(released, change, found):
    current = deepcopy(released)
    change(current["components"]["schemas"]["Placed"])
    [line] = breaking_changes(released, current)
    assert line.startswith(found)


def test_an_event_that_is_gone_or_elsewhere_is_missed(released):
    assert len(breaking_changes(released, document("Orders", "1.0.0", []))) == 2
    moved = deepcopy(released)
    moved["channels"] = {"other": moved["channels"]["orders"]}
    [line] = breaking_changes(released, moved)
    assert "another topic" in line
