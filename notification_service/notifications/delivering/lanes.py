"""Lanes: independent routes for messages. A failure in one does not delay the others."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from notification_service.notifications.delivering.circuits import open_lanes
from notification_service.notifications.delivering.claims import due
from notification_service.notifications.models import Endpoint
from notification_service.notifications.models.subscriptions import Channel


@dataclass(frozen=True)
class Lane:
    """In-app notifications, the mail server, or one webhook endpoint.

    :param name: the name of its circuit breaker.
    """

    name: str
    channel: Channel
    endpoint: Endpoint | None = None


def lanes_due() -> list[Lane]:
    """Return the lanes that have due deliveries and whose circuit is closed."""
    found = [Lane(str(channel), channel) for channel in Channel if due(channel).exists()]
    found += [Lane(e.lane, Channel.WEBHOOK, e) for e in _endpoints()]
    resting = open_lanes()
    return [lane for lane in found if lane.name not in resting]


def _endpoints() -> list[Endpoint]:
    return list(Endpoint.objects.filter(Exists(due(Channel.WEBHOOK, OuterRef("pk")))))
