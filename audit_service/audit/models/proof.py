"""The heads of the chains, and what was signed of them."""

from django.db import models

from audit_service.audit.models.entries import NOTHING


class ChainHead(models.Model):
    """The head of the chain of one topic partition, and its start after pruning.

    To append to a chain, lock its head.
    """

    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    position = models.BigIntegerField(
        default=0, help_text="Position of the latest entry; 0 if there is none."
    )
    link = models.BinaryField(default=NOTHING, help_text="Link of the latest entry.")
    pruned_position = models.BigIntegerField(
        default=0, help_text="Position of the last pruned entry."
    )
    pruned_link = models.BinaryField(default=NOTHING, help_text="Link of the last pruned entry.")
    recorded_at = models.DateTimeField(null=True, help_text="When the latest entry was recorded.")
    replayed_to = models.BigIntegerField(
        default=-1,
        help_text="Last offset recorded by a replay. Workers may receive offsets up to it again.",
    )

    class Meta:
        ordering = ["topic", "partition"]
        constraints = [models.UniqueConstraint(fields=["topic", "partition"], name="audit_head")]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} at {self.position}"


class Checkpoint(models.Model):
    """Signed heads of all chains."""

    created_at = models.DateTimeField()
    envelope = models.TextField(help_text="The signed DSSE envelope.")
    exported_at = models.DateTimeField(null=True, help_text="When it was first written to a file.")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S}"


class ExportRecord(models.Model):
    """An export of entries: reading in bulk is recorded as well."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=255)
    what = models.CharField(max_length=255)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor}: {self.what}"
