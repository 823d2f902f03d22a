"""Previews: the messages that a subscription would have sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from common.contracts.product import Product
from notification_service.notifications.deciding.index import Index
from notification_service.notifications.messages.words import Words
from notification_service.notifications.models import ProductEvent, Subscription
from notification_service.notifications.rendering import product_of

EVENTS = 100


@dataclass(frozen=True)
class Shown:
    """A message that would have been sent.

    :param due: when, in the time zone of the subscription.
    """

    at: datetime
    due: datetime
    type: str
    product_id: str
    text: str


class Preview(NamedTuple):
    """The messages, newest first, and the number of events examined."""

    messages: list[Shown]
    events: int


class _Kept(NamedTuple):
    """A stored event, as matching needs it."""

    type: str
    data: Product


def preview(subscription: Subscription) -> Preview:
    """Preview the messages for the latest 100 events.

    :param subscription: saved or not, but validated.
    """
    index = Index([subscription])
    words = Words.read()
    events = list(ProductEvent.objects.order_by("-id")[:EVENTS])
    shown = []
    for event in events:
        product = product_of(event.type, event.data)
        for match in index.matches(_Kept(event.type, product)):
            text = words.tell(match.facts, product, subscription.language)
            due = subscription.due(event.at).astimezone(subscription.zone)
            shown.append(Shown(event.at, due, event.type, event.product_id, text))
    return Preview(shown, len(events))
