"""The JSON Schemas that events name in ``dataschema``."""

import msgspec
from django.http import Http404, HttpRequest, JsonResponse

from common.events.contract import contract_of


def event_schema(request: HttpRequest, event_type: str, version: int = 1) -> JsonResponse:
    """The schema of one event type's data."""
    contract = contract_of(event_type)
    if contract is None or contract.major_version != version:
        raise Http404(f"No event type {event_type!r} in version {version}")
    return JsonResponse(msgspec.json.schema(contract), content_type="application/schema+json")
