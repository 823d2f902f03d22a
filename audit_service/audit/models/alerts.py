"""What is suspicious, by rules that people set, and what was found."""

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


class Rule(models.Model):
    """When to raise an alert."""

    class Kind(models.TextChoices):
        """What a rule looks at, and so which of the numbers it needs."""

        DELETIONS = "deletions", "many deletions by one actor"
        CHANGE = "change", "a number changed by more than a percentage"
        NEW_ACTOR = "new_actor", "an actor never seen"
        HOURS = "hours", "changes outside hours"

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
        help_text="Event types that count, with spaces between, such as product.*; empty for all.",
    )
    threshold = models.DecimalField(
        max_digits=9,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="So many deletions; or so many percent.",
    )
    field = models.CharField(
        max_length=100, blank=True, help_text="The number whose changes count, such as price."
    )
    window_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(7 * 24 * 60)],
        help_text="Deletions within so many minutes count; and an actor is told of once in them.",
    )
    from_hour = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(23)], help_text="Hours begin, 0 to 23."
    )
    until_hour = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(24)], help_text="Hours end, 1 to 24."
    )
    weekdays_only = models.BooleanField(
        default=True, help_text="Saturday and Sunday are outside hours."
    )
    time_zone = models.CharField(max_length=64, default="UTC", help_text="Of the hours.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        missing = [n for n in self.NEEDS.get(self.kind, ()) if getattr(self, n) in (None, "")]
        errors: dict[str, Any] = dict.fromkeys(missing, "This kind of rule needs it.")
        if self.time_zone not in available_timezones():
            errors["time_zone"] = "No such time zone; one is Europe/Berlin."
        if self.from_hour is not None and self.from_hour == self.until_hour:
            errors["until_hour"] = "Then no hour is left."
        if errors:
            raise ValidationError(errors)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of its hours."""
        return ZoneInfo(self.time_zone)


class Alert(models.Model):
    """Something suspicious, raised by a rule at an event."""

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
        help_text="How many events the rule could not judge, this one first; 0 where it found "
        "something.",
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
    """Somebody who has been seen; the record itself may have forgotten.

    Workers that count what somebody does take turns at this row; the one with the empty name
    stands for events that name nobody.
    """

    name = models.CharField(max_length=255, unique=True)
    first_seen = models.DateTimeField()
    event_id = models.CharField(max_length=255, blank=True, help_text="Of the event seen first.")
    source = models.CharField(max_length=255, blank=True, help_text="Of the event seen first.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
