"""What the consuming side remembers: the events it took, and those that failed."""

from django.db import models


class InboxMessage(models.Model):
    """An event that this service took responsibility for: handled, or parked.

    CloudEvents gives an event its identity by source and id together.
    """

    pk = models.CompositePrimaryKey("consumer", "event_id", "source")
    consumer = models.CharField(max_length=255, help_text="The consumer group.")
    event_id = models.CharField(max_length=255)
    source = models.CharField(max_length=600)
    received_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


class ParkedEvent(models.Model):
    """A message that could not be handled, or that waits behind one that could not.

    Waiting rows of one key are handled in the order of their ids.
    """

    class State(models.TextChoices):
        FAILED = "failed"
        BEHIND = "behind", "waits behind a failed event"
        HANDLED = "handled", "handled on a later try"

    consumer = models.CharField(max_length=255)
    state = models.CharField(max_length=10, choices=State.choices)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    headers = models.TextField(default="[]", help_text="JSON pairs of name and value (latin-1).")
    held_key = models.CharField(
        max_length=255, blank=True, help_text="Later events of this key wait; empty holds none."
    )
    event_id = models.CharField(max_length=255, blank=True)
    type = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0)
    parked_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["consumer", "topic", "held_key"],
                name="inbox_parked_waiting",
                condition=~models.Q(state="handled"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type or 'unreadable'} at {self.topic}/{self.partition}/{self.offset}"


class Worker(models.Model):
    """The heartbeat of one worker process."""

    consumer = models.CharField(max_length=255)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    partitions = models.JSONField(default=list)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(auto_now=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.consumer} {self.host}:{self.pid}"
