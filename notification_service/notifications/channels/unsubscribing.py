"""The unsubscribe link in each mail, which works without a login."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

from notification_service.notifications.models import Subscription

SALT = "notifications.unsubscribe"


def link(subscription: Subscription) -> str:
    """Return the unsubscribe URL of a subscription. It does not expire."""
    token = signing.dumps(subscription.pk, salt=SALT)
    site: str = settings.PUBLIC_URL
    return site.rstrip("/") + reverse("unsubscribe", args=[token])


def subscription_of(token: str) -> Subscription | None:
    """Return the subscription of an unsubscribe token; None if it is forged or was deleted."""
    try:
        pk = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    return Subscription.objects.filter(pk=pk).first()
