"""Whether the events of today fit readers that were written for those of the last release."""

from typing import Any

ANNOTATIONS = frozenset({"title", "description", "examples", "default"})
"""Keywords of JSON Schema that say nothing of what is valid (Validation, section 9)."""


def breaking_changes(released: dict[str, Any], current: dict[str, Any]) -> list[str]:
    """What breaks readers of events or of history: a breaking change wants a new major version.

    A new optional field breaks nobody. Old readers need all the fields that they know, as they
    were; new readers need to get on with old events, which lack new fields.

    :param released: the AsyncAPI document of the last release.
    :param current: that of today.
    :returns: a line for each; empty when all is well.
    """
    old, new = (document["components"] for document in (released, current))
    changes = [
        f"{name}: the event is gone, or is told on another topic"
        for name in old["messages"]
        if _topic(released, name) != _topic(current, name)
    ]
    for name, schema in old["schemas"].items():
        if name in new["schemas"]:
            changes += _of_schema(name, schema, new["schemas"][name])
        else:
            changes.append(f"{name}: the schema is gone")
    return changes


def _topic(document: dict[str, Any], message: str) -> str | None:
    channels = document["channels"].items()
    return next((topic for topic, channel in channels if message in channel["messages"]), None)


def _of_schema(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    changes = [f"{name}.{field}: the field is gone" for field in before if field not in after]
    changes += [
        f"{name}.{field}: the field was of another kind"
        for field in before
        if field in after and _bare(before[field]) != _bare(after[field])
    ]
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    changes += [f"{name}.{field}: it may be missing now" for field in sorted(needed - needs)]
    changes += [f"{name}.{field}: it may not be missing now" for field in sorted(needs - needed)]
    return changes


def _bare(schema: Any) -> Any:
    """The schema without what is there for people alone."""
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key not in ANNOTATIONS}
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema
