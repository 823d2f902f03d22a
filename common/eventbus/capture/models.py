"""What capturing remembers: which rows were published again, and what was not published at all."""

from django.db import models

from eventbus.database.models import BusModel


class SnapshotRun(BusModel):
    """How far the snapshots of one publication are, for a ``snapshot_version`` that was raised."""

    event = models.CharField(max_length=255, primary_key=True)
    version = models.PositiveIntegerField(help_text="The snapshot_version that is published.")
    after = models.TextField(blank=True, help_text="The last key that was published, as JSON.")
    published = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.event}, version {self.version}"


class Suppression(BusModel):
    """Changes that one block of ``suppressed(reason=...)`` kept from being published."""

    block = models.UUIDField()
    event = models.CharField(max_length=255)
    reason = models.TextField()
    actor = models.CharField(max_length=255)
    correlation_id = models.CharField(max_length=255)
    changes = models.PositiveBigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(fields=["block", "event"], name="suppression_once_a_block")
        ]

    def __str__(self) -> str:
        return f"{self.changes} of {self.event}: {self.reason}"
