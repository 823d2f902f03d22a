"""Decides who is notified of an event and when, and writes the deliveries with the event."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from common.contracts.product import Product
from eventbus.database.bulk import insert
from eventbus.database.waking import wake_after_commit
from eventbus.events import Event
from notification_service.notifications.deciding.index import Index
from notification_service.notifications.facts import facts_of, to_text
from notification_service.notifications.models import (
    Delivery,
    ProductEvent,
    Revision,
    Subscription,
)
from notification_service.notifications.models.products import new_id
from notification_service.notifications.models.subscriptions import Schedule

CHANNEL = "deliveries"
"""The NOTIFY channel that wakes the deliverers."""

NEVER_READ = object()
EVENT_COLUMNS = ("id", "event_id", "source", "type", "product_id", "at", "facts", "data")
DELIVERY_COLUMNS = (
    "id",
    "subscription_id",
    "event_id",
    "owner_id",
    "channel",
    "endpoint_id",
    "facts",
    "in_digest",
    "due_at",
)


class Decider:
    """Caches the index of the subscriptions, and rebuilds it when they have changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revision: object = NEVER_READ
        self._index = Index([])

    def decide(self, events: Sequence[Event[Product]]) -> None:
        """Store these events, and a delivery for each matching subscription.

        The number of SQL statements does not depend on the number of events or subscriptions.
        """
        if not events:
            return
        now = timezone.now()
        ids = [new_id() for _ in events]
        kept = (_values(event, pk, now) for event, pk in zip(events, ids, strict=True))
        insert(ProductEvent, EVENT_COLUMNS, kept)
        index = self.current_index()
        deliveries = _deliveries(index, zip(events, ids, strict=True), now)
        first = next(deliveries, None)
        if first is not None:
            insert(Delivery, DELIVERY_COLUMNS, _chain(first, deliveries))
            wake()

    def current_index(self) -> Index:
        """Return the index of the current subscriptions."""
        revision = Revision.current()
        with self._lock:
            if revision != self._revision:
                self._index = Index(active_subscriptions())
                self._revision = revision
            return self._index


def active_subscriptions() -> Iterator[Subscription]:
    """Subscriptions that are active, and whose endpoint is active if they have one."""
    active = Subscription.objects.filter(is_active=True)
    return active.filter(Q(endpoint=None) | Q(endpoint__is_active=True)).order_by("pk").iterator()


def _deliveries(index: Index, events: Any, now: datetime) -> Iterator[tuple[Any, ...]]:
    due: dict[int, datetime] = {}
    for event, event_pk in events:
        for match in index.matches(event):
            subscription = match.subscription
            if subscription.pk not in due:
                due[subscription.pk] = subscription.due(now)
            yield (
                new_id(),
                subscription.pk,
                event_pk,
                subscription.owner_id,
                subscription.channel,
                subscription.endpoint_id,
                to_text(match.facts),
                subscription.schedule == Schedule.DAILY,
                due[subscription.pk],
            )


def _values(event: Event[Product], pk: Any, now: datetime) -> tuple[Any, ...]:
    return (
        pk,
        event.id,
        event.source,
        event.type,
        event.subject,
        event.time or now,
        to_text(facts_of(event.data)),
        bytes(event.envelope.data).decode(),
    )


def _chain(first: tuple[Any, ...], others: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    yield first
    yield from others


def wake() -> None:
    """Wake the deliverers once this transaction is committed."""
    wake_after_commit(connection, CHANNEL)


decider = Decider()
"""One for each worker process. Its index lives as long as the process."""
