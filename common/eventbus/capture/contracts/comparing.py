"""Comparing a published model with its contract classes: what differs fails when publishing."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from eventbus.capture.fields import PublishedField
from eventbus.capture.publication import VERBS, Publication
from eventbus.events import Contract
from eventbus.events.contract import contract_of


def missing(publication: Publication) -> list[str]:
    """The event types of a publication that no contract class defines."""
    types = [f"{publication.event}.{verb}" for verb in VERBS]
    return [event_type for event_type in types if contract_of(event_type) is None]


def differences(publication: Publication) -> Iterator[str]:
    """Where a declaration and its contract classes differ, a line each.

    A contract may be stricter than the column, such as a text with a pattern: it was reviewed. It
    must have every published field, need no other, and be of a type that the column fits.
    """
    for verb in VERBS:
        contract = contract_of(f"{publication.event}.{verb}")
        if contract is not None:
            yield from _of_contract(publication, contract, with_previous=verb == "updated")


def _of_contract(
    publication: Publication, contract: type[Contract], *, with_previous: bool
) -> Iterator[str]:
    name = contract.__name__
    if contract.topic != publication.topic:
        yield f"{name} is on the topic {contract.topic!r}, the model on {publication.topic!r}"
    known = {field.name: field for field in msgspec.structs.fields(contract)}
    previous = known.pop("previous", None)
    yield from _of_fields(name, publication.fields, known)
    published = {field.name for field in publication.fields}
    for field in known.values():
        if field.required and field.name not in published:
            yield f"{name}.{field.name} is required, and the declaration does not publish it"
    if not with_previous:
        return
    if previous is None or not issubclass(previous.type, msgspec.Struct):
        yield f"{name} has no `previous: {name.removesuffix('Updated')}Previous`"
        return
    old = {field.name: field for field in msgspec.structs.fields(previous.type)}
    yield from _of_fields(previous.type.__name__, publication.watched, old)
    for field in old.values():
        if field.default is not UNSET:
            yield f"{previous.type.__name__}.{field.name} has to default to UNSET"


def _of_fields(
    name: str,
    published: tuple[PublishedField, ...],
    known: dict[str, msgspec.structs.FieldInfo],
) -> Iterator[str]:
    for field in published:
        if field.name not in known:
            yield f"{name} has no field {field.name!r}, which the declaration publishes"
            continue
        ours, theirs = _forms(field.type), _forms(known[field.name].type)
        if theirs and not ours <= theirs:
            yield (
                f"{name}.{field.name} takes {_listed(theirs)}, and the column holds {_listed(ours)}"
            )


def _forms(annotation: Any) -> frozenset[str]:
    """The forms of JSON that a type takes, such as ``string (date-time)``; none if any."""
    try:
        schema = msgspec.json.schema(annotation)
    except TypeError:
        return frozenset()
    return frozenset(_forms_of(schema))


def _forms_of(schema: dict[str, Any]) -> Iterator[str]:
    for option in schema.get("anyOf", [schema]):
        kind = option.get("type")
        for one in kind if isinstance(kind, list) else [kind]:
            if one is not None:
                yield f"{one} ({option['format']})" if "format" in option else one


def _listed(forms: frozenset[str]) -> str:
    return " or ".join(sorted(forms))
