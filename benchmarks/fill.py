"""Fill the topic with events of about 420 bytes, as written by the product service.

Arguments: the number of events, and the number of the first one.
"""

import sys
from datetime import UTC, datetime

import django
import msgspec
from uuid_utils.compat import uuid7

django.setup()

from eventbus.events import Envelope, encode  # noqa: E402  Django must be set up first
from eventbus.events.codec import structured_headers  # noqa: E402
from eventbus.kafka.clients import producer  # noqa: E402
from eventbus.kafka.topics import create_topics  # noqa: E402

TOPIC = "product.events"
PRODUCTS = 1_000


def event(number: int) -> Envelope:
    version, product = divmod(number, PRODUCTS)
    data = {
        "id": product,
        "sku": f"SKU-{product}",
        "name": f"Cast-iron pan number {product}",
        "price": "19.90",
        "currency": "EUR",
        "stock": number % 50,
        "version": version + 1,
    }
    return Envelope(
        specversion="1.0",
        id=str(uuid7()),
        source="/product_service",
        type="product.updated",
        subject=str(product),
        time=datetime.now(UTC),
        datacontenttype="application/json",
        partitionkey=str(product),
        sequence=version + 1,
        correlationid=str(number),
        actor="admin",
        data=msgspec.Raw(msgspec.json.encode(data)),
    )


def main(events: int, first: int) -> None:
    create_topics([TOPIC])
    sender = producer()
    for number in range(first, first + events):
        envelope = event(number)
        key = str(envelope.subject).encode()
        sender.send(TOPIC, value=encode(envelope), key=key, headers=structured_headers())
    sender.flush()
    sender.close(timeout=5)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
