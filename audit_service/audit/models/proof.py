"""What proves the record: where its chains end, and what was signed of them."""

from django.db import models

from audit_service.audit.models.entries import NOTHING


class ChainHead(models.Model):
    """Where the chain of one topic partition ends, and where it begins since it was pruned.

    Whoever adds to a chain holds the lock of its head.
    """

    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    position = models.BigIntegerField(default=0, help_text="Of the newest entry; 0 before any.")
    link = models.BinaryField(default=NOTHING, help_text="Of the newest entry.")
    pruned_position = models.BigIntegerField(default=0, help_text="Of the last entry pruned.")
    pruned_link = models.BinaryField(default=NOTHING, help_text="Of the last entry pruned.")
    recorded_at = models.DateTimeField(null=True, help_text="When the newest was recorded.")
    replayed_to = models.BigIntegerField(
        default=-1, help_text="The last offset that a replay recorded; workers may meet it again."
    )

    class Meta:
        ordering = ["topic", "partition"]
        constraints = [models.UniqueConstraint(fields=["topic", "partition"], name="audit_head")]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} at {self.position}"


class Checkpoint(models.Model):
    """Where the chains stood, signed."""

    created_at = models.DateTimeField()
    envelope = models.TextField(help_text="The signed DSSE envelope.")
    exported_at = models.DateTimeField(null=True, help_text="When it was first put into a file.")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S}"


class ExportRecord(models.Model):
    """That somebody took entries out: reading much is recorded as well."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=255)
    what = models.CharField(max_length=255)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor}: {self.what}"
