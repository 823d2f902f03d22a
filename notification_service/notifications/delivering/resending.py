"""Resends finished deliveries, and retries pending ones at once."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from notification_service.notifications.deciding.decisions import wake
from notification_service.notifications.delivering.claims import UNDER_WAY
from notification_service.notifications.models import Delivery


@transaction.atomic
def resend(deliveries: QuerySet[Delivery]) -> int:
    """Make deliveries due now, each as a message of its own with all its attempts.

    Deliveries that are being sent, or were never tried, are not changed.

    :returns: the number of deliveries that will be sent again.
    """
    under_way = Q(state=Delivery.State.PENDING, answer=UNDER_WAY)
    count = deliveries.exclude(under_way).update(
        state=Delivery.State.PENDING,
        due_at=timezone.now(),
        attempts=0,
        finished_at=None,
        in_digest=False,
    )
    wake()
    return count
