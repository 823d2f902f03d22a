"""The append-only record of all events."""

from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.functional import cached_property

from audit_service.audit.models.fields import EventTimeField
from eventbus.events import Envelope, InvalidEvent, decode
from eventbus.events.codec import headers_from_text
from eventbus.events.data import plain

NOTHING = bytes(32)
"""The previous link of the first entry of a chain."""


class AuditEntry(models.Model):
    """One event: the bytes that were received, and the attributes that people search for."""

    event_id = models.CharField(max_length=255)
    source = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, blank=True)
    sequence = models.BigIntegerField(null=True)
    time = EventTimeField(null=True, help_text="When the change was made.")
    actor = models.CharField(max_length=255, blank=True)
    correlation_id = models.CharField(max_length=255, blank=True)
    causation_id = models.CharField(max_length=255, blank=True)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    headers = models.TextField(default="[]", help_text="JSON pairs of name and value (latin-1).")
    value = models.BinaryField(help_text="The Kafka message, byte for byte.")
    recorded_at = models.DateTimeField()
    position = models.BigIntegerField(
        help_text="Position in the chain of its partition, starting at 1."
    )
    link = models.BinaryField(help_text="SHA-256 of the previous link and all stored fields.")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        permissions = [("export_auditentry", "Can export audit entries")]
        indexes = [
            # Not unique: PostgreSQL would require the month in it. The lock of the chain
            # and the inbox ensure that each event is recorded once.
            models.Index(fields=["event_id"], name="audit_event"),
            models.Index(fields=["topic", "partition", "position"], name="audit_chain"),
            models.Index(fields=["correlation_id", "id"], name="audit_correlation"),
            models.Index(fields=["subject", "id"], name="audit_subject"),
            models.Index(fields=["type", "id"], name="audit_type"),
            models.Index(fields=["actor", "id"], name="audit_actor"),
            models.Index(fields=["time"], name="audit_time"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"

    @property
    def aggregate(self) -> str:
        """The kind of subject, such as ``product``: the event type up to its first dot."""
        return self.type.partition(".")[0]

    @property
    def verb(self) -> str:
        """What happened, such as ``updated``: the event type after its last dot."""
        return self.type.rpartition(".")[2]

    @property
    def subject_url(self) -> str:
        """The URL of the page of its subject; empty if it has none."""
        if self.sequence is None or self.subject in ("", ".", ".."):
            return ""
        if not self.aggregate or "/" in self.aggregate:
            return ""
        return reverse("subject", args=[self.aggregate, self.subject])

    @cached_property
    def data(self) -> Any:
        """The data of the event; None if it is not JSON."""
        if self.envelope is None or not bytes(self.envelope.data):
            return None
        return plain(self.envelope.data)

    @cached_property
    def envelope(self) -> Envelope | None:
        """The decoded event; None if it was recorded under older rules and is not valid today."""
        try:
            return decode(bytes(self.value), headers_from_text(self.headers))
        except InvalidEvent:
            return None
