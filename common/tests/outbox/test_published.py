"""A project publishes what it declares; contracts imported for consuming are not its own."""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.test import Client

from common.contracts.product import TOPIC
from common.tests.conftest import Settings, called, product
from demo.broker import EmbeddedBroker
from eventbus import outbox
from eventbus.events import Contract, contract
from eventbus.inbox import subscribe
from eventbus.inbox.taking.subscriptions import HandlerSubscription, consumed_topics
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
def consumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_handlers: list[HandlerSubscription]
) -> Iterator[type[Contract]]:
    """A contract of another team, and a handler that subscribes to it."""
    (tmp_path / "stock_contracts.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(contract, "_contracts", dict(contract._contracts))
    imported = import_module("stock_contracts").StockCounted
    subscribe(imported)(print)
    yield imported
    del sys.modules["stock_contracts"]


def test_its_topic_is_read_and_not_created(
    consumed: type[Contract], broker: EmbeddedBroker
) -> None:
    assert consumed_topics() == [TOPIC, "stock.events"]
    assert called("create_topics") == f"{TOPIC}: created, 6 partitions\n"


def test_the_relay_does_not_wait_for_its_topic(
    consumed: type[Contract], broker: EmbeddedBroker
) -> None:
    assert "no topic product.events;" in what_is_missing()
    create_topics([TOPIC])
    assert what_is_missing() == ""


def test_it_is_not_documented_as_this_projects_own(
    consumed: type[Contract], client: Client
) -> None:
    assert set(json.loads(called("asyncapi"))["channels"]) == {TOPIC}
    assert "stock.counted" not in client.get("/events/").content.decode()
    assert client.get("/events/schema/stock.counted/v1/").status_code == 404


def test_publishing_it_is_refused_in_one_line(consumed: type[Contract]) -> None:
    line = (
        "This project does not publish stock.counted: "
        "add 'stock_contracts' to EVENTBUS['PUBLISHES']"
    )
    for events in ([consumed(id=1)], [product(), consumed(id=1)]):
        with pytest.raises(NotPublished) as raised:
            outbox.publish_all(events)
        assert str(raised.value) == line
    assert not OutboxEvent.objects.exists()


def test_a_declared_contract_is_published(
    consumed: type[Contract], broker: EmbeddedBroker, settings: Settings, client: Client
) -> None:
    declared = [*settings.EVENTBUS["PUBLISHES"], "stock_contracts"]
    settings.EVENTBUS = {**settings.EVENTBUS, "PUBLISHES": declared}
    assert "stock.events: created, 6 partitions\n" in called("create_topics")
    assert "stock.events" in json.loads(called("asyncapi"))["channels"]
    assert client.get("/events/schema/stock.counted/v1/").status_code == 200
    outbox.publish(consumed(id=1))
    assert OutboxEvent.objects.get().topic == "stock.events"
