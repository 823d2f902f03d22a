"""Contracts as an AsyncAPI 3 document: which events are published, where, in which format.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from collections.abc import Sequence
from inspect import cleandoc, getdoc
from typing import Any

import msgspec

from eventbus.events.codec import STRUCTURED
from eventbus.events.contract import Contract

EXAMPLE_ID = "01937b1c-6f3e-7c41-9d3b-5b0f4d1f7a10"
EXAMPLE_TIME = "2026-11-02T16:05:00Z"
REFERENCE = "#/components/schemas/{name}"

TEXT = {"type": "string", "minLength": 1}
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "specversion": {"const": "1.0"},
    "id": {**TEXT, "description": "Unique per source; a redelivery has the same id."},
    "source": {**TEXT, "description": "The service that published it."},
    "type": TEXT,
    "subject": {**TEXT, "description": "The id of what changed."},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"const": "application/json"},
    "dataschema": {"type": "string", "format": "uri", "description": "The schema of the data."},
    "partitionkey": {**TEXT, "description": "The subject: its events stay in order."},
    "sequence": {"type": "integer", "description": "Number of the change to the subject: 1, 2, 3."},
    "correlationid": {**TEXT, "description": "Shared by all events that follow from one request."},
    "causationid": {**TEXT, "description": "The event whose handler published this one."},
    "actor": {**TEXT, "description": "Who caused it: a user name, or system:command."},
    "traceparent": {**TEXT, "description": "W3C Trace Context."},
    "consumergroup": {**TEXT, "description": "The one consumer group that is to handle it."},
}
REQUIRED = ["specversion", "id", "source", "type", "subject", "time", "partitionkey", "sequence"]


def document(title: str, version: str, contracts: Sequence[type[Contract]]) -> dict[str, Any]:
    """The AsyncAPI document of one service.

    :param title: title of the document, such as ``Product service``.
    :param version: version of the document.
    :param contracts: the events that the service publishes.
    """
    _, schemas = msgspec.json.schema_components(contracts, ref_template=REFERENCE)
    for schema in schemas.values():
        schema["description"] = cleandoc(schema.get("description", ""))
    schemas["CloudEvent"] = {"type": "object", "required": REQUIRED, "properties": ATTRIBUTES}
    topics = sorted({contract.topic for contract in contracts})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": STRUCTURED,
        "channels": {topic: _channel(topic, contracts) for topic in topics},
        "operations": {
            f"publish.{topic}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "summary": f"Publish changes to the topic {topic}.",
            }
            for topic in topics
        },
        "components": {
            "messages": {contract.event_type: _message(contract) for contract in contracts},
            "schemas": schemas,
        },
    }


def example(contract: type[Contract], source: str, schema_url: str) -> dict[str, Any]:
    """A sample event of this type; its ``data`` is the contract's example.

    :param source: the publishing service, such as ``/product_service``.
    :param schema_url: base URL of the schemas; the event type and version are appended.
    """
    data = contract.example
    subject, sequence = "1", 1
    if data:
        instance = msgspec.convert(data, contract, strict=False)
        subject, sequence = instance.subject, instance.sequence
    return {
        "specversion": "1.0",
        "id": EXAMPLE_ID,
        "source": source,
        "type": contract.event_type,
        "subject": subject,
        "time": EXAMPLE_TIME,
        "datacontenttype": "application/json",
        "dataschema": f"{schema_url}{contract.event_type}/v{contract.major_version}/",
        "partitionkey": subject,
        "sequence": sequence,
        "correlationid": "c1a5f0de",
        "actor": "alice",
        "data": data,
    }


def _channel(topic: str, contracts: Sequence[type[Contract]]) -> dict[str, Any]:
    types = [contract.event_type for contract in contracts if contract.topic == topic]
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in types},
        "bindings": {"kafka": {"topic": topic}},
    }


def _message(contract: type[Contract]) -> dict[str, Any]:
    name, version = contract.event_type, contract.major_version
    data = {"$ref": REFERENCE.format(name=contract.__name__)}
    message: dict[str, Any] = {
        "name": name,
        "title": f"{name} v{version}",
        "summary": (getdoc(contract) or name).splitlines()[0],
        "contentType": STRUCTURED,
        "payload": {
            "allOf": [
                {"$ref": REFERENCE.format(name="CloudEvent")},
                {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"type": {"const": name}, "data": data},
                },
            ]
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "The subject."}}},
    }
    if contract.example:
        message["examples"] = [{"payload": example(contract, "/service", "https://example.com/")}]
    return message
