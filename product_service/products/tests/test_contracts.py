"""What the events promise: to those who read them, and to those who have read them so far."""

import io
import json

import msgspec
import pytest
from cloudevents.v1.http import from_json
from django.core.management import call_command

from common.contracts import product
from common.contracts.released import PRODUCT
from eventbus.events.contract import contracts
from eventbus.testing.compatibility import breaking_changes


def asyncapi() -> dict:
    out = io.StringIO()
    call_command("asyncapi", stdout=out)
    return json.loads(out.getvalue())


def test_nothing_breaks_who_reads_the_released_events():
    """A breaking change is a new event type. After a release: CONTRIBUTING.md says how to go on."""
    assert breaking_changes(json.loads(PRODUCT.read_text()), asyncapi()) == []


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract.event_type)
def test_the_example_of_each_event_is_one(contract):
    data = msgspec.json.decode(json.dumps(contract.example), type=contract)
    assert json.loads(msgspec.json.encode(data)) == contract.example
    [message] = asyncapi()["components"]["messages"][contract.event_type]["examples"]
    event = from_json(json.dumps(message["payload"]))
    assert (event["type"], event["subject"]) == (contract.event_type, "17")


def test_the_document_names_every_event_of_the_topic():
    channel = asyncapi()["channels"][product.TOPIC]
    assert set(channel["messages"]) == {contract.event_type for contract in contracts()}


def test_people_see_each_event_with_an_example(client):
    page = client.get("/events/").content.decode()
    for contract in contracts():
        assert f'id="{contract.event_type}"' in page
        assert f"/api/events/schema/{contract.event_type}/v1/" in page
    assert "Its slug, which never changes." in page
    assert "&quot;price&quot;: &quot;19.90&quot;" in page
