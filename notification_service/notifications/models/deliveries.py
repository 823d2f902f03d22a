"""What is to be sent, and what came of it."""

from django.conf import settings
from django.db import models

from notification_service.notifications.models.endpoints import Endpoint
from notification_service.notifications.models.products import ProductEvent, new_id
from notification_service.notifications.models.subscriptions import Channel, Subscription


class Delivery(models.Model):
    """One event for one subscription; the id is also the ``webhook-id``.

    While it is pending, ``due_at`` is when it may be tried. Whoever claims it moves that ahead,
    so a claim whose process died is due again by itself.
    """

    class State(models.TextChoices):
        """Where it is; all but pending are final until somebody sends it again."""

        PENDING = "pending", "pending"
        SENT = "sent", "sent"
        FAILED = "failed", "given up"
        CANCELLED = "cancelled", "not wanted any more"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subscription = models.ForeignKey(
        Subscription, null=True, on_delete=models.SET_NULL, related_name="deliveries"
    )
    event = models.ForeignKey(ProductEvent, on_delete=models.CASCADE, related_name="deliveries")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)
    channel = models.CharField(max_length=10, choices=Channel)
    endpoint = models.ForeignKey(
        Endpoint, null=True, on_delete=models.SET_NULL, db_index=False, related_name="deliveries"
    )
    facts = models.CharField(max_length=255, help_text="What it tells, with commas between.")
    in_digest = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=500, blank=True, help_text="What came back, or why not.")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        permissions = [("resend_delivery", "Can send deliveries again")]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "event"], name="delivery_once")
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="delivery_newest"),
            models.Index(fields=["finished_at"], name="delivery_finished"),
            models.Index(
                fields=["channel", "endpoint", "due_at"],
                name="delivery_due",
                condition=models.Q(state="pending"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}: {self.facts}"


class Circuit(models.Model):
    """Whether a receiver is given a rest: one endpoint, or the mail server.

    Closed while it answers. After some failures in a row it opens, and nothing is tried until
    ``open_until``; then one delivery is, and its outcome closes or reopens it.
    """

    lane = models.CharField(primary_key=True, max_length=50)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    open_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["lane"]

    def __str__(self) -> str:
        return self.lane
