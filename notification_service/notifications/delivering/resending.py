"""Sending again what is finished, and at once what waits to be tried again."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from notification_service.notifications.deciding.decisions import wake
from notification_service.notifications.delivering.claims import UNDER_WAY
from notification_service.notifications.models import Delivery


@transaction.atomic
def resend(deliveries: QuerySet[Delivery]) -> int:
    """Make deliveries due now, each on its own though it was in a digest, with all its tries.

    What is being sent at this moment is left alone, as is what was never tried.

    :returns: how many.
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
