"""Breaking changes of contracts are detected."""

from collections.abc import Callable
from copy import deepcopy
from typing import Annotated, Any

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
def released() -> dict[str, Any]:
    return document("Orders", "1.0.0", [Placed])


def test_equal_or_extended_contracts_are_compatible(released: dict[str, Any]) -> None:
    current = deepcopy(released)
    schema = current["components"]["schemas"]["Placed"]
    schema["properties"]["colour"] = {"type": "string"}
    schema["properties"]["id"]["description"] = "The number of the order."
    assert breaking_changes(released, current) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda s: s["properties"].pop("note"), "Placed.note: the field was removed"),
        (lambda s: s["properties"]["id"].update(type="string"), "Placed.id: the type of"),
        (lambda s: s["required"].remove("id"), "Placed.id: no longer required"),
        (lambda s: s["required"].append("note"), "Placed.note: now required"),
    ],
)
def test_a_change_to_a_field_is_found(
    released: dict[str, Any], change: Callable[[dict[str, Any]], object], found: str
) -> None:
    current = deepcopy(released)
    change(current["components"]["schemas"]["Placed"])
    [line] = breaking_changes(released, current)
    assert line.startswith(found)


def test_a_removed_or_moved_event_is_found(released: dict[str, Any]) -> None:
    assert len(breaking_changes(released, document("Orders", "1.0.0", []))) == 2
    moved = deepcopy(released)
    moved["channels"] = {"other": moved["channels"]["orders"]}
    [line] = breaking_changes(released, moved)
    assert "another topic" in line
