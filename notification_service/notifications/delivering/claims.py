"""Claiming what is due: each message by one process at a time."""

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
"""How long a claim holds. Whoever has not finished by then leaves it to others."""
UNDER_WAY = ""
"""The answer of what is claimed, or was never tried: there is none yet."""


def due(channel: str, endpoint: Endpoint | OuterRef | None = None) -> QuerySet[Delivery]:
    """What may be sent now by one way.

    :param endpoint: where webhooks go; those without one have lost theirs.
    """
    pending = Delivery.objects.filter(state=Delivery.State.PENDING, due_at__lte=timezone.now())
    return pending.filter(channel=channel, endpoint=endpoint)


def claim(channel: str, endpoint: Endpoint | None, most: int) -> list[OutgoingMessage]:
    """Take what is due, so that no other process takes it while the lease holds.

    :param most: how many messages of each kind, digests and others.
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
    """Let go of what was claimed and not tried."""
    ids = [delivery.pk for message in messages for delivery in message.deliveries]
    if ids:
        mine = Delivery.objects.filter(pk__in=ids, state=Delivery.State.PENDING)
        mine.update(due_at=timezone.now(), attempts=F("attempts") - 1)


def is_mine(message: OutgoingMessage) -> bool:
    """Whether a message is still to be sent; it stays so until the transaction ends.

    It is not when this process was paused past its lease, and another one has sent it meanwhile.
    """
    pending = message.rows().filter(state=Delivery.State.PENDING).select_for_update()
    return len(pending) == len(message.deliveries)


def _digests(channel: str, most: int) -> list[Delivery]:
    """All that is due of some subscriptions, each of which is locked: a digest has one sender."""
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
