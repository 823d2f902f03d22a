"""Claims due deliveries, so that each message is sent by one process at a time."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from django.db import transaction
from django.db.models import F, OuterRef, QuerySet
from django.utils import timezone

from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.models import Delivery, Endpoint, Subscription
from notification_service.notifications.models.subscriptions import Channel

LEASE = timedelta(minutes=5)
"""How long a claim is valid. After that, other processes may claim the message."""
UNDER_WAY = ""
"""The answer of a delivery that is claimed or was never tried, so that it has none yet."""


def due(channel: str, endpoint: Endpoint | OuterRef | None = None) -> QuerySet[Delivery]:
    """Return the deliveries of a channel that may be sent now.

    :param endpoint: for webhooks, their endpoint; None finds those whose endpoint was deleted.
    """
    pending = Delivery.objects.filter(state=Delivery.State.PENDING, due_at__lte=timezone.now())
    return pending.filter(channel=channel, endpoint=endpoint)


def claim(channel: str, endpoint: Endpoint | None, most: int) -> list[OutgoingMessage]:
    """Claim due deliveries, so that no other process sends them before the lease expires.

    :param most: the maximum number of digests, and of other messages.
    """
    with transaction.atomic():
        singles = _locked(due(channel, endpoint).filter(in_digest=False).order_by("due_at")[:most])
        together = [] if channel == Channel.WEBHOOK else _digests(channel, most)
        ids = [delivery.pk for delivery in (*singles, *together)]
        lease = timezone.now() + LEASE
        mine = Delivery.objects.filter(pk__in=ids)
        mine.update(due_at=lease, attempts=F("attempts") + 1, answer=UNDER_WAY)
    return [*(OutgoingMessage([delivery]) for delivery in singles), *_by_subscription(together)]


def give_back(messages: Sequence[OutgoingMessage]) -> None:
    """Release messages that were claimed but not tried."""
    ids = [delivery.pk for message in messages for delivery in message.deliveries]
    if ids:
        mine = Delivery.objects.filter(pk__in=ids, state=Delivery.State.PENDING)
        mine.update(due_at=timezone.now(), attempts=F("attempts") - 1)


def is_mine(message: OutgoingMessage) -> bool:
    """Whether this process may still send a message. Locks its rows until the transaction ends.

    False if the process was paused beyond its lease, and another one has sent the message.
    """
    pending = message.rows().filter(state=Delivery.State.PENDING).select_for_update()
    return len(pending) == len(message.deliveries)


def _digests(channel: str, most: int) -> list[Delivery]:
    """Claim the due digests of some subscriptions. Each is locked, so that one process sends it."""
    waiting = due(channel).filter(in_digest=True)
    owners = waiting.order_by("subscription").values_list("subscription", flat=True)
    ids = list(owners.distinct()[:most])
    if not ids:
        return []
    subscriptions = Subscription.objects.filter(pk__in=ids).select_for_update(skip_locked=True)
    locked = list(subscriptions.values_list("pk", flat=True))
    orphans = waiting.filter(subscription=None)
    return _locked(waiting.filter(subscription__in=locked).order_by("id")) + _locked(orphans[:most])


def _locked(deliveries: QuerySet[Delivery]) -> list[Delivery]:
    locked = deliveries.select_for_update(skip_locked=True, of=("self",))
    found = locked.select_related("event", "subscription__owner", "endpoint")
    for delivery in found:
        delivery.attempts += 1
    return list(found)


def _by_subscription(deliveries: Sequence[Delivery]) -> list[OutgoingMessage]:
    ordered = sorted(deliveries, key=lambda d: (d.subscription_id or 0, d.pk))
    groups = groupby(ordered, key=lambda delivery: delivery.subscription_id)
    return [OutgoingMessage(list(group)) for _, group in groups]
