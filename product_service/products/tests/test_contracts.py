"""The contracts of the events stay compatible and documented."""

import io
import json
from typing import Any

import msgspec
import pytest
from cloudevents.v1.http import from_json
from django.core.management import call_command
from django.test import Client

from common.contracts import product
from common.contracts.released import PRODUCT
from eventbus.events import Contract
from eventbus.events.compatibility import breaking_changes
from eventbus.events.contract import contracts


def asyncapi() -> Any:
    out = io.StringIO()
    call_command("asyncapi", stdout=out)
    return json.loads(out.getvalue())


def test_released_events_stay_compatible() -> None:
    """A breaking change requires a new event type; CONTRIBUTING.md describes how to release one."""
    assert breaking_changes(json.loads(PRODUCT.read_text()), asyncapi()) == []


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract.event_type)
def test_the_example_of_each_event_is_valid(contract: type[Contract]) -> None:
    data = msgspec.json.decode(json.dumps(contract.example), type=contract)
    assert json.loads(msgspec.json.encode(data)) == contract.example
    [message] = asyncapi()["components"]["messages"][contract.event_type]["examples"]
    event = from_json(json.dumps(message["payload"]))
    assert (event["type"], event["subject"]) == (contract.event_type, "17")


def test_the_asyncapi_document_has_every_event() -> None:
    channel = asyncapi()["channels"][product.TOPIC]
    assert set(channel["messages"]) == {contract.event_type for contract in contracts()}


def test_the_events_page_shows_each_event_with_an_example(client: Client) -> None:
    page = client.get("/events/").content.decode()
    for contract in contracts():
        assert f'id="{contract.event_type}"' in page
        assert f"/api/events/schema/{contract.event_type}/v1/" in page
    assert "Its slug, which never changes." in page
    assert "&quot;price&quot;: &quot;19.90&quot;" in page
