"""Replays the published events, independently of how they were published."""

import json
from typing import Any

from eventbus.outbox.models import OutboxEvent

Told = dict[int, dict[str, Any]]
COUNTED = {"version", "updated_at"}


def told() -> Told:
    """Fold all events in order, and return the products.

    Asserts that each event fits the one before: versions increase by one, including across
    deletions, and ``previous`` has the old values of exactly the changed fields.
    """
    products: Told = {}
    versions: dict[int, int] = {}
    for row in OutboxEvent.objects.order_by("position"):
        event = json.loads(row.payload)
        data = event["data"]
        product_id = data["id"]
        assert event["subject"] == row.aggregateid == str(product_id)
        assert event["sequence"] == versions.get(product_id, 0) + 1
        versions[product_id] = event["sequence"]
        previous = data.pop("previous", None)
        if event["type"] == "product.created":
            assert product_id not in products
        else:
            old = products[product_id]
            if event["type"] == "product.snapshot":
                products[product_id] = data
                continue
            differing = {name for name in old if data[name] != old[name]} - COUNTED
            if event["type"] == "product.updated":
                assert differing
                assert previous == {name: old[name] for name in differing}
            else:
                assert event["type"] == "product.deleted"
                assert not differing
        if event["type"] == "product.deleted":
            del products[product_id]
        else:
            products[product_id] = data
    return products
