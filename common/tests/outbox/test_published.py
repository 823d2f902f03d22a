"""A project publishes what it declares; a contract that it imports to consume is another's."""

import json
import sys
from importlib import import_module

import pytest

from common.contracts.product import TOPIC
from common.tests.conftest import called, product
from eventbus import outbox
from eventbus.events import contract
from eventbus.inbox import subscribe
from eventbus.inbox.taking.subscriptions import consumed_topics
from eventbus.kafka.topics import create_topics
from eventbus.outbox.management.commands.relay_events import what_is_missing
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.publishing import NotPublished

pytestmark = pytest.mark.django_db

MODULE = '''
from eventbus.events import Contract, event


@event("stock.counted", topic="stock.events", example={"id": 1})
class StockCounted(Contract, frozen=True, kw_only=True):
    """Somebody counted."""

    id: int
    subject = property(lambda self: str(self.id))
    sequence = 1
'''


@pytest.fixture
def consumed(tmp_path, monkeypatch, own_handlers):
    """A contract of another team, and a handler that subscribes to it."""
    (tmp_path / "stock_contracts.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(contract, "_contracts", dict(contract._contracts))
    imported = import_module("stock_contracts").StockCounted
    subscribe(imported)(print)
    yield imported
    del sys.modules["stock_contracts"]


def test_its_topic_is_read_and_not_created(consumed, broker):
    assert consumed_topics() == [TOPIC, "stock.events"]
    assert called("create_topics") == f"{TOPIC}: created, 6 partitions\n"


def test_the_relay_does_not_wait_for_its_topic(consumed, broker):
    assert "no topic product.events;" in what_is_missing()
    create_topics([TOPIC])
    assert what_is_missing() == ""


def test_it_is_not_documented_as_this_projects_own(consumed, client):
    assert set(json.loads(called("asyncapi"))["channels"]) == {TOPIC}
    assert "stock.counted" not in client.get("/events/").content.decode()
    assert client.get("/events/stock.counted/v1/").status_code == 404


def test_publishing_it_is_refused_in_one_line(consumed):
    line = (
        "This project does not publish stock.counted: "
        "add 'stock_contracts' to EVENTBUS['PUBLISHES']"
    )
    for events in ([consumed(id=1)], [product(), consumed(id=1)]):
        with pytest.raises(NotPublished) as raised:
            outbox.publish_all(events)
        assert str(raised.value) == line
    assert not OutboxEvent.objects.exists()


def test_a_contract_that_is_declared_is_all_of_that(consumed, broker, settings, client):
    declared = [*settings.EVENTBUS["PUBLISHES"], "stock_contracts"]
    settings.EVENTBUS = {**settings.EVENTBUS, "PUBLISHES": declared}
    assert "stock.events: created, 6 partitions\n" in called("create_topics")
    assert "stock.events" in json.loads(called("asyncapi"))["channels"]
    assert client.get("/events/stock.counted/v1/").status_code == 200
    outbox.publish(consumed(id=1))
    assert OutboxEvent.objects.get().topic == "stock.events"
