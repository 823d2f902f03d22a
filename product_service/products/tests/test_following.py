"""The files of one event in this service are those that docs/architecture.md lists."""

import pytest

from common.servicekit.testing.following import followed, listed
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.relaying.session import WaitingEvent
from eventbus.testing.bus import Bus
from product_service.products.models import Product

LAST = "common/eventbus/outbox/relaying/relay.py"


@pytest.mark.django_db(transaction=True)
def test_the_files_of_an_event_before_kafka_are_those_listed(bus: Bus) -> None:
    product = Product.objects.create(sku="F-1", name="Followed", price=2)
    bus.relay()
    product.price = 1

    def publish() -> None:
        product.save()
        assert bus.relay() == 1

    files = followed(publish, Product, OutboxEvent, WaitingEvent)
    wanted = listed()
    assert files == wanted[: wanted.index(LAST) + 1]
