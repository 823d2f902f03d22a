"""The stored responses."""

from django.db import models


class KeptAnswer(models.Model):
    """The response to a request that was carried out, for repetitions with the same key."""

    user = models.CharField(max_length=150, help_text="Primary key of the user")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the request")
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.TextField(default="")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_key")]

    def __str__(self) -> str:
        return f"{self.key} of {self.user}"
