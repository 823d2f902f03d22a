"""Rules for suspicious activity, and the alerts that they raise."""

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


class Rule(models.Model):
    """When to raise an alert."""

    class Kind(models.TextChoices):
        """What a rule checks, which determines the fields that it needs."""

        DELETIONS = "deletions", "many deletions by one actor"
        CHANGE = "change", "a number changed by more than a percentage"
        NEW_ACTOR = "new_actor", "an actor never seen before"
        HOURS = "hours", "changes outside working hours"

    NEEDS: dict[str, tuple[str, ...]] = {
        Kind.DELETIONS: ("threshold", "window_minutes"),
        Kind.CHANGE: ("threshold", "field"),
        Kind.NEW_ACTOR: (),
        Kind.HOURS: ("from_hour", "until_hour", "window_minutes"),
    }

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind)
    is_active = models.BooleanField(default=True)
    types = models.CharField(
        max_length=255,
        blank=True,
        help_text="Event types to check, separated by spaces, such as product.*. Empty checks all.",
    )
    threshold = models.DecimalField(
        max_digits=9,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Number of deletions, or percentage of the change.",
    )
    field = models.CharField(
        max_length=100, blank=True, help_text="Name of the numeric field to check, such as price."
    )
    window_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(7 * 24 * 60)],
        help_text="Deletions within this time are counted; each actor is reported once in it.",
    )
    from_hour = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(23)],
        help_text="Start of the working hours, 0 to 23.",
    )
    until_hour = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(24)],
        help_text="End of the working hours, 1 to 24.",
    )
    weekdays_only = models.BooleanField(
        default=True, help_text="Saturday and Sunday are outside working hours."
    )
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        help_text="Time zone of the working hours, such as Europe/Berlin.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        missing = [n for n in self.NEEDS.get(self.kind, ()) if getattr(self, n) in (None, "")]
        errors: dict[str, Any] = dict.fromkeys(missing, "Required for this kind of rule.")
        if self.time_zone not in available_timezones():
            errors["time_zone"] = "Unknown time zone. Enter one such as Europe/Berlin."
        if self.from_hour is not None and self.from_hour == self.until_hour:
            errors["until_hour"] = "The working hours must not start and end at the same time."
        if errors:
            raise ValidationError(errors)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the working hours."""
        return ZoneInfo(self.time_zone)


class Alert(models.Model):
    """Suspicious activity, found by a rule in an event."""

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="alerts")
    text = models.CharField(max_length=500)
    at = models.DateTimeField(help_text="The time of the event.")
    actor = models.CharField(max_length=255, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    event_type = models.CharField(max_length=255, blank=True)
    event_id = models.CharField(max_length=255)
    source = models.CharField(max_length=255)
    unjudged = models.PositiveIntegerField(
        default=0,
        help_text="Number of events that the rule could not judge, starting with this one; 0 "
        "for a suspicious event.",
    )
    raised_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("manage_alert", "Can mark alerts as handled")]
        indexes = [
            models.Index(fields=["rule", "actor", "at"], name="audit_alert_window"),
            models.Index(
                fields=["id"], name="audit_alert_open", condition=models.Q(handled_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.text} (and {self.unjudged - 1:,} more)" if self.unjudged > 1 else self.text


class KnownActor(models.Model):
    """An actor that has been seen, even if its entries have been pruned.

    Workers that count the activity of an actor lock its row to take turns. The row with the empty
    name stands for events without an actor.
    """

    name = models.CharField(max_length=255, unique=True)
    first_seen = models.DateTimeField()
    event_id = models.CharField(max_length=255, blank=True, help_text="Of the first event seen.")
    source = models.CharField(max_length=255, blank=True, help_text="Of the first event seen.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
