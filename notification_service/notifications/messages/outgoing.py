"""Outgoing messages: deliveries that are sent together."""

from dataclasses import dataclass, field

from django.db.models import QuerySet

from notification_service.notifications.models import Delivery, Subscription


@dataclass
class OutgoingMessage:
    """A message: a single delivery, or all deliveries of a digest.

    :param deliveries: of one subscription, oldest first.
    """

    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def first(self) -> Delivery:
        return self.deliveries[0]

    @property
    def subscription(self) -> Subscription | None:
        """The subscription of the deliveries; None if it was deleted."""
        return self.first.subscription

    @property
    def is_digest(self) -> bool:
        return self.first.in_digest

    def rows(self) -> QuerySet[Delivery]:
        """Its deliveries as a queryset, for updates."""
        return Delivery.objects.filter(pk__in=[delivery.pk for delivery in self.deliveries])

    def why_not_wanted(self) -> str:
        """The reason not to send the message any more; empty if it is to be sent."""
        subscription = self.subscription
        if subscription is None:
            return "the subscription was deleted"
        if not subscription.is_active:
            return "unsubscribed"
        if not subscription.owner.is_active:
            return "the user is not active"
        return ""
