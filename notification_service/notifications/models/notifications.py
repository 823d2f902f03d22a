"""In-app notifications."""

from django.conf import settings
from django.db import models

from notification_service.notifications.facts import Fact


class Notification(models.Model):
    """A message that is shown to a user in the application."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, editable=False
    )
    kind = models.CharField(max_length=20, help_text='A fact, or "digest".', editable=False)
    event_id = models.CharField(max_length=255, blank=True, editable=False)
    product_id = models.CharField(max_length=255, blank=True, editable=False)
    text = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    DIGEST = "digest"

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="notification_newest"),
            models.Index(
                fields=["user"],
                name="notification_unread",
                condition=models.Q(read_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.text

    def get_kind_display(self) -> str:
        return str(Fact(self.kind).label) if self.kind in Fact else self.kind
