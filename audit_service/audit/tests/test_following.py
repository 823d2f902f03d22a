"""The files of one event in this service are those that docs/architecture.md lists."""

import pytest

from audit_service.audit.handlers import record
from audit_service.audit.models import AuditEntry
from common.contracts.product import ProductUpdated
from common.servicekit.testing.following import followed, listed
from eventbus.events import Envelope, encode
from eventbus.inbox.taking.dispatch import Handover
from eventbus.inbox.taking.message import Message
from eventbus.testing.bus import Bus

BEFORE_KAFKA = "common/eventbus/outbox/relaying/relay.py"


@pytest.mark.django_db(transaction=True)
def test_the_files_of_an_event_after_kafka_are_those_listed(bus: Bus) -> None:
    told = Envelope(specversion="1.0", id="1", source="/s", type="product.updated", subject="7")
    bus.send(ProductUpdated.topic, encode(told), b"7")
    files = followed(bus.consume, Message, Handover, until=record)
    assert AuditEntry.objects.get().event_id == "1"
    wanted = listed()
    behind = wanted.index(BEFORE_KAFKA) + 1
    assert [path for path in files if path not in wanted[:behind]] == wanted[behind:]
