"""What was published since the last look, in short."""

import json
from typing import Any

from common.tests.capture.histories import check
from eventbus.capture.registry import publications
from eventbus.outbox.models import OutboxEvent


def in_short() -> list[tuple[Any, ...]]:
    """Type, subject, sequence and previous values of what was published since the last call."""
    rows = list(OutboxEvent.objects.order_by("position"))
    OutboxEvent.objects.all().delete()
    return [
        (row.type, row.aggregateid, row.sequence, data_of(row).get("previous", {})) for row in rows
    ]


def data_of(row: OutboxEvent) -> Any:
    return json.loads(row.payload)["data"]


def check_all() -> None:
    """Assert that the events of all that Django's ORM captures give the tables."""
    check(*(one for one in publications() if one.capture == "orm"))
