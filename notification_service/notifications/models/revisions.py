"""How a worker learns that subscriptions changed, without reading them all for each batch."""

import uuid
from typing import Any

from django.db import models, transaction


class Revision(models.Model):
    """One row, with another token after each change of a subscription or of an endpoint.

    A change sets it in its own transaction. The row's lock puts the changes in line, so whoever
    sees a token sees all changes up to it; the newest time of change would not say that.
    """

    ONLY = 1

    token = models.UUIDField(default=uuid.uuid4)

    def __str__(self) -> str:
        return str(self.token)

    @classmethod
    def current(cls) -> uuid.UUID | None:
        """The token of the newest change; None before the first."""
        return cls.objects.filter(pk=cls.ONLY).values_list("token", flat=True).first()


def change_revision(**signal: Any) -> None:
    """Receives ``post_save`` and ``post_delete`` of what decisions depend on."""
    with transaction.atomic():
        Revision.objects.get_or_create(pk=Revision.ONLY)
        Revision.objects.filter(pk=Revision.ONLY).update(token=uuid.uuid4())
