"""Deliveries and their outcomes."""

from django.conf import settings
from django.db import models

from notification_service.notifications.models.endpoints import Endpoint
from notification_service.notifications.models.products import ProductEvent, new_id
from notification_service.notifications.models.subscriptions import Channel, Subscription


class Delivery(models.Model):
    """One event for one subscription. The id is also the ``webhook-id``.

    While it is pending, ``due_at`` is the time of the next attempt. A process that claims it moves
    ``due_at`` into the future, so that the claim of a process that died expires by itself.
    """

    class State(models.TextChoices):
        """The state. All but pending are final, unless the delivery is sent again."""

        PENDING = "pending", "pending"
        SENT = "sent", "sent"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

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
    facts = models.CharField(max_length=255, help_text="Reported facts, separated by commas.")
    in_digest = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    answer = models.CharField(
        max_length=500, blank=True, help_text="The receiver's response, or why it was not sent."
    )

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
    """The circuit breaker of one receiver: an endpoint, or the mail server.

    It is closed while the receiver responds. Several failures in a row open it, and nothing is sent
    until ``open_until``. Then one delivery is tried, and its outcome closes the circuit or opens it
    again.
    """

    lane = models.CharField(primary_key=True, max_length=50)
    failures = models.PositiveIntegerField(default=0, help_text="Consecutive failures.")
    open_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["lane"]

    def __str__(self) -> str:
        return self.lane
