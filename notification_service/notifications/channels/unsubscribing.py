"""The link in each mail that ends it, for people who are not logged in."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

from notification_service.notifications.models import Subscription

SALT = "notifications.unsubscribe"


def link(subscription: Subscription) -> str:
    """The URL by which a subscription can be ended; it stays valid."""
    token = signing.dumps(subscription.pk, salt=SALT)
    site: str = settings.PUBLIC_URL
    return site.rstrip("/") + reverse("unsubscribe", args=[token])


def subscription_of(token: str) -> Subscription | None:
    """Whose link this is; None where it was not made here, or the subscription is gone."""
    try:
        pk = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    return Subscription.objects.filter(pk=pk).first()
