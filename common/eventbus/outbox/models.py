"""The outbox tables. Debezium's Outbox Event Router can read the first with its default columns.

https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html
"""

from django.db import models

from eventbus.database.models import BusModel


class OutboxEvent(BusModel):
    """An event on its way to Kafka.

    Events are relayed in the order of ``position``, not ``id``: a database sequence does not
    depend on the clocks of several web servers.
    """

    position = models.BigAutoField(primary_key=True)
    id = models.UUIDField(unique=True)
    aggregatetype = models.CharField(max_length=255)
    aggregateid = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    sequence = models.BigIntegerField(null=True)
    topic = models.CharField(max_length=249)
    payload = models.TextField(help_text="The whole CloudEvent, as it is sent.")
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        indexes = [
            models.Index(
                fields=["position"],
                name="outbox_waiting",
                condition=models.Q(published_at__isnull=True),
            ),
            models.Index(fields=["aggregatetype", "aggregateid"], name="outbox_aggregate"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.aggregateid}"


class LastSequence(BusModel):
    """The last sequence of a deleted subject, which outlives the subject's own row.

    There is one row for each subject that was ever deleted, kept forever. A subject recreated under
    the same id continues from here, so that consumers do not mistake its events for old ones.
    """

    aggregatetype = models.CharField(max_length=255)
    aggregateid = models.CharField(max_length=255)
    sequence = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["aggregatetype", "aggregateid"], name="last_sequence_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.aggregatetype} {self.aggregateid}: {self.sequence}"
