"""Events that bypass Kafka and the inbox, including ones that the inbox would reject."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from django.db import transaction

from audit_service.audit.handlers import record, watch
from eventbus.events import Envelope, Event, Place

MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)
_numbers = count(1)


def made(
    verb: str = "updated", minutes: float = 0, partition: int = 0, **attributes: Any
) -> Event[Any]:
    """Build an event of a product by eve, some minutes after noon on a Monday.

    :param attributes: of the envelope, such as ``data`` (anything that JSON supports), or ``raw``
        for the bytes of the data.
    """
    number = next(_numbers)
    raw = attributes.pop("raw", None)
    if "data" in attributes:
        raw = msgspec.json.encode(attributes.pop("data"))
    if raw is not None:
        attributes["data"] = msgspec.Raw(raw)
    envelope = Envelope(
        **{
            "specversion": "1.0",
            "id": f"made-{number}",
            "source": "/shop",
            "type": f"product.{verb}",
            "subject": "1",
            "time": MONDAY + timedelta(minutes=minutes),
            "actor": "eve",
            **attributes,
        }
    )
    return Event(envelope, Place("product.events", partition, number), raw or b"{}")


def take(*events: Event[Any]) -> None:
    """Handle a batch as a worker does."""
    with transaction.atomic():
        record(list(events))
        watch(list(events))


def price(old: Any, new: Any) -> dict[str, Any]:
    """The data of a price change."""
    return {"price": new, "previous": {"price": old}}


def deletions(minutes: Sequence[float], **attributes: Any) -> list[Event[Any]]:
    return [made("deleted", minute, **attributes) for minute in minutes]
