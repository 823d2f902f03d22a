"""The models of the notification service, one concept per module."""

from notification_service.notifications.models.deliveries import Circuit, Delivery
from notification_service.notifications.models.endpoints import Endpoint
from notification_service.notifications.models.notifications import Notification
from notification_service.notifications.models.products import Product, ProductEvent
from notification_service.notifications.models.revisions import Revision
from notification_service.notifications.models.subscriptions import Subscription
from notification_service.notifications.models.texts import MessageTemplate

__all__ = [
    "Circuit",
    "Delivery",
    "Endpoint",
    "MessageTemplate",
    "Notification",
    "Product",
    "ProductEvent",
    "Revision",
    "Subscription",
]
