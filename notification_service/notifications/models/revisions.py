"""Tells workers that subscriptions have changed, without reading them all for each batch."""

import uuid
from typing import Any

from django.db import models, transaction


class Revision(models.Model):
    """A single row, whose token changes with each change of a subscription or an endpoint.

    The token is set in the transaction of the change. The lock on the row serializes changes, so a
    process that sees a token sees all changes before it. A time of the last change would not
    guarantee that.
    """

    ONLY = 1

    token = models.UUIDField(default=uuid.uuid4)

    def __str__(self) -> str:
        return str(self.token)

    @classmethod
    def current(cls) -> uuid.UUID | None:
        """The token of the latest change; None before the first."""
        return cls.objects.filter(pk=cls.ONLY).values_list("token", flat=True).first()


def change_revision(**signal: Any) -> None:
    """Receiver of ``post_save`` and ``post_delete`` of the models that matching depends on."""
    with transaction.atomic():
        Revision.objects.get_or_create(pk=Revision.ONLY)
        Revision.objects.filter(pk=Revision.ONLY).update(token=uuid.uuid4())
