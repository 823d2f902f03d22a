"""The record of every event, whole and append-only."""

from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.functional import cached_property

from audit_service.audit.models.fields import EventTimeField
from eventbus.events import Envelope, InvalidEvent, decode
from eventbus.events.codec import headers_from_text
from eventbus.events.data import plain

NOTHING = bytes(32)
"""The link before the first."""


class AuditEntry(models.Model):
    """One event as it came: its exact bytes, and the attributes that people look for."""

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
    position = models.BigIntegerField(help_text="In the chain of its partition, from 1 on.")
    link = models.BinaryField(help_text="SHA-256 of the link before and of all that is kept.")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        permissions = [("export_auditentry", "Can export audit entries")]
        indexes = [
            # Not unique: PostgreSQL would want the month in it. The lock of the chain and the inbox
            # see to it that an event is kept once.
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
        """What kind of thing it is about, such as ``product``: the type up to its first dot."""
        return self.type.partition(".")[0]

    @property
    def verb(self) -> str:
        """What happened, such as ``updated``: the type behind its last dot."""
        return self.type.rpartition(".")[2]

    @property
    def subject_url(self) -> str:
        """The page of its subject; empty where it has none."""
        if self.sequence is None or self.subject in ("", ".", ".."):
            return ""
        if not self.aggregate or "/" in self.aggregate:
            return ""
        return reverse("subject", args=[self.aggregate, self.subject])

    @cached_property
    def data(self) -> Any:
        """The data of the event; None where it is not JSON."""
        if self.envelope is None or not bytes(self.envelope.data):
            return None
        return plain(self.envelope.data)

    @cached_property
    def envelope(self) -> Envelope | None:
        """The event as it is read today; None where it was recorded by other rules."""
        try:
            return decode(bytes(self.value), headers_from_text(self.headers))
        except InvalidEvent:
            return None
