"""The published events, documented for people and as JSON Schema."""

import json
from dataclasses import dataclass
from inspect import cleandoc, getdoc
from typing import Any

import msgspec
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from eventbus.conf import bus_settings
from eventbus.events.asyncapi import example
from eventbus.events.contract import Contract, contract_of
from eventbus.outbox.published import is_published, published


@dataclass(frozen=True)
class Field:
    """A field of an event's data, as a table row."""

    name: str
    kind: str
    is_required: bool
    description: str


@login_not_required
def events_page(request: HttpRequest) -> HttpResponse:
    """A page of all published events with their fields and examples."""
    events = [_shown(contract) for contract in published()]
    return render(request, "eventbus_outbox/events.html", {"events": events})


@login_not_required
def event_schema(request: HttpRequest, event_type: str, version: int = 1) -> JsonResponse:
    """The JSON Schema of one event type's data, which events name in ``dataschema``."""
    contract = contract_of(event_type)
    if contract is None or not is_published(contract) or contract.major_version != version:
        raise Http404(f"No event type {event_type!r} in version {version}")
    return JsonResponse(msgspec.json.schema(contract), content_type="application/schema+json")


def _shown(contract: type[Contract]) -> dict[str, Any]:
    event = example(contract, bus_settings().source, bus_settings().schema_url)
    as_json = json.dumps(event, indent=2) if contract.example else ""
    return {
        "type": contract.event_type,
        "topic": contract.topic,
        "version": contract.major_version,
        "description": cleandoc(getdoc(contract) or ""),
        "fields": _fields(contract),
        "example": as_json,
    }


def _fields(contract: type[Contract]) -> list[Field]:
    _, schemas = msgspec.json.schema_components([contract])
    schema = schemas[contract.__name__]
    return [
        Field(name, _kind(of), name in schema["required"], _description(of, schemas))
        for name, of in schema["properties"].items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    return str(schema.get("format") or schema.get("type", "object"))


def _description(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    referred = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    return cleandoc(str(schema.get("description") or referred.get("description", "")))
