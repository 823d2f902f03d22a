"""Messages: deliveries that are sent together."""

from dataclasses import dataclass, field

from django.db.models import QuerySet

from notification_service.notifications.models import Delivery, Subscription


@dataclass
class OutgoingMessage:
    """What is sent at once: one delivery, or all that a digest tells.

    :param deliveries: of one subscription, the oldest first.
    """

    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def first(self) -> Delivery:
        return self.deliveries[0]

    @property
    def subscription(self) -> Subscription | None:
        """Whose; None where it was deleted since."""
        return self.first.subscription

    @property
    def is_digest(self) -> bool:
        return self.first.in_digest

    def rows(self) -> QuerySet[Delivery]:
        """Its deliveries, to write to."""
        return Delivery.objects.filter(pk__in=[delivery.pk for delivery in self.deliveries])

    def why_not_wanted(self) -> str:
        """Why it is not to be sent after all; empty where it is."""
        subscription = self.subscription
        if subscription is None:
            return "the subscription is gone"
        if not subscription.is_active:
            return "unsubscribed"
        if not subscription.owner.is_active:
            return "the user is not active"
        return ""
