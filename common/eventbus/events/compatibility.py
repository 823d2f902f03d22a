"""Compatibility of the current contracts with consumers of the last release."""

from typing import Any

ANNOTATIONS = frozenset({"title", "description", "examples", "default"})
"""JSON Schema keywords that do not affect validation (Validation, section 9)."""


def breaking_changes(released: dict[str, Any], current: dict[str, Any]) -> list[str]:
    """Changes that break consumers of new or of stored events and need a new major version.

    A new optional field breaks nobody. Old consumers need all the fields they know, unchanged; new
    consumers must be able to read old events, which lack new fields.

    :param released: the AsyncAPI document of the last release.
    :param current: the current one.
    :returns: one line per breaking change; empty if compatible.
    """
    old, new = (document["components"] for document in (released, current))
    changes = [
        f"{name}: the event was removed or moved to another topic"
        for name in old["messages"]
        if _topic(released, name) != _topic(current, name)
    ]
    for name, schema in old["schemas"].items():
        if name in new["schemas"]:
            changes += _of_schema(name, schema, new["schemas"][name])
        else:
            changes.append(f"{name}: the schema was removed")
    return changes


def _topic(document: dict[str, Any], message: str) -> str | None:
    channels = document["channels"].items()
    return next((topic for topic, channel in channels if message in channel["messages"]), None)


def _of_schema(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    changes = [f"{name}.{field}: the field was removed" for field in before if field not in after]
    changes += [
        f"{name}.{field}: the type of the field changed"
        for field in before
        if field in after and _bare(before[field]) != _bare(after[field])
    ]
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    changes += [f"{name}.{field}: no longer required" for field in sorted(needed - needs)]
    changes += [f"{name}.{field}: now required" for field in sorted(needs - needed)]
    return changes


def _bare(schema: Any) -> Any:
    """The schema without annotations."""
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key not in ANNOTATIONS}
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema
