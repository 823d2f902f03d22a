"""Subscriptions of users and other applications."""

from datetime import datetime, time, timedelta
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.signals import post_delete, post_save

from notification_service.notifications.facts import Fact
from notification_service.notifications.models.endpoints import Endpoint
from notification_service.notifications.models.revisions import change_revision

LEAST_LETTERS = 3
MOST_PRODUCTS = 1_000
EVENT_TYPES = ("product.created", "product.updated", "product.deleted")


def folded(text: str) -> str:
    """Normalize a text for comparison with names: casefolded, in Unicode NFC, as names are."""
    return normalize("NFC", text).strip().casefold()


class Channel(models.TextChoices):
    """How a message is delivered."""

    IN_APP = "in_app", "in-app"
    EMAIL = "email", "e-mail"
    WEBHOOK = "webhook", "webhook"


class Products(models.TextChoices):
    """Which products a subscription covers."""

    ALL = "all", "all products"
    CATEGORY = "category", "products in a category"
    LIST = "list", "selected products"
    TEXT = "text", "products whose name contains a text"


class Condition(models.TextChoices):
    """What must have happened."""

    ANYTHING = "anything", "any change"
    PRICE_DROPPED = Fact.PRICE_DROPPED.value, "price drop"
    OUT_OF_STOCK = Fact.OUT_OF_STOCK.value, "out of stock"
    BACK_IN_STOCK = Fact.BACK_IN_STOCK.value, "back in stock"
    NEW_IN_CATEGORY = Fact.NEW_IN_CATEGORY.value, "new in a category"
    DELETED = Fact.DELETED.value, "product deleted"


class Schedule(models.TextChoices):
    """When a message is sent."""

    AT_ONCE = "at_once", "immediately"
    DAILY = "daily", "daily digest"


class Subscription(models.Model):
    """Who is notified of which events, by which channel, and when.

    Workers see a change with their next batch if it is made by ``save()`` or ``delete()``. They do
    not see changes made by a queryset's ``update()``.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.IN_APP)
    endpoint = models.ForeignKey(
        Endpoint,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text="Receives the webhooks.",
    )
    event_types = models.JSONField(
        default=list, blank=True, help_text="Event types to match. Empty matches all."
    )
    products = models.CharField(max_length=10, choices=Products, default=Products.ALL)
    category = models.CharField(max_length=255, blank=True, help_text="The slug of a category.")
    product_ids = models.JSONField(default=list, blank=True, help_text="Product ids as strings.")
    text = models.CharField(
        max_length=100,
        blank=True,
        help_text=f"Text in the product name, at least {LEAST_LETTERS} letters. Case is ignored.",
    )
    condition = models.CharField(max_length=20, choices=Condition, default=Condition.ANYTHING)
    percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Notify if the price drops by at least this percentage …",
    )
    below = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="… or if it drops below this amount, in the currency of the product.",
    )
    schedule = models.CharField(max_length=10, choices=Schedule, default=Schedule.AT_ONCE)
    digest_hour = models.PositiveSmallIntegerField(
        default=8, validators=[MaxValueValidator(23)], help_text="Hour of the daily digest."
    )
    quiet_from = models.TimeField(
        null=True, blank=True, help_text="Messages are held back until the quiet hours end."
    )
    quiet_until = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        help_text="Time zone of these times, such as Europe/Berlin.",
    )
    language = models.CharField(max_length=10, choices=settings.LANGUAGES, default="en")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_condition_display()}, {self.which()}, {self.get_channel_display()}"

    def which(self) -> str:
        """Describe the selected products."""
        match self.products:
            case Products.CATEGORY:
                return f"products in {self.category}"
            case Products.LIST:
                count = len(self.product_ids)
                return "1 product" if count == 1 else f"{count} products"
            case Products.TEXT:
                return f"products whose name contains “{self.text}”"
        return "all products"

    def clean(self) -> None:
        errors = {**self._errors_of_products(), **self._errors_of_times()}
        if unknown := _not_among(self.event_types, EVENT_TYPES):
            errors["event_types"] = f"{unknown}. Choose from {', '.join(EVENT_TYPES)}."
        if (self.channel == Channel.WEBHOOK) != (self.endpoint_id is not None):
            errors["endpoint"] = "Choose an endpoint for webhooks, and none for other channels."
        if self.channel == Channel.WEBHOOK and self.schedule == Schedule.DAILY:
            errors["schedule"] = "Webhooks are always sent immediately."
        if self.endpoint is not None and self.endpoint.owner_id != self.owner_id:
            errors["endpoint"] = "This endpoint belongs to another user."
        if self.condition != Condition.PRICE_DROPPED:
            for name in ("percent", "below"):
                if getattr(self, name) is not None:
                    errors[name] = "This applies to price drops only."
        if errors:
            raise ValidationError(errors)

    def due(self, now: datetime) -> datetime:
        """Return when a message about an event that is processed now is sent."""
        if self.schedule == Schedule.DAILY:
            local = now.astimezone(self.zone)
            return _next(local, time(self.digest_hour)).astimezone(now.tzinfo)
        return self.after_quiet(now)

    def after_quiet(self, when: datetime) -> datetime:
        """Return the first time from ``when`` on that is outside the quiet hours."""
        local = when.astimezone(self.zone)
        if self._is_quiet(local.time()):
            return _next(local, self.quiet_until or time()).astimezone(when.tzinfo)
        return when

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the digest hour and the quiet hours."""
        return ZoneInfo(self.time_zone)

    def _is_quiet(self, at: time) -> bool:
        """Whether a time of day is in the quiet hours, which may span midnight."""
        start, end = self.quiet_from, self.quiet_until
        if start is None or end is None:
            return False
        return start <= at < end if start < end else at >= start or at < end

    def _errors_of_products(self) -> dict[str, Any]:
        errors = {}
        ids = self.product_ids
        if not isinstance(ids, list) or not all(_is_id(word) for word in ids):
            errors["product_ids"] = 'Enter a list of ids as strings, for example ["17", "18"].'
        elif len(ids) > MOST_PRODUCTS:
            errors["product_ids"] = f"Select at most {MOST_PRODUCTS} products, or use a category."
        elif self.products == Products.LIST and not ids:
            errors["product_ids"] = "Enter at least one product id."
        if self.products == Products.CATEGORY and not self.category:
            errors["category"] = "Enter a category."
        if self.products == Products.TEXT and len(folded(self.text)) < LEAST_LETTERS:
            errors["text"] = f"Enter at least {LEAST_LETTERS} letters."
        return errors

    def _errors_of_times(self) -> dict[str, Any]:
        errors = {}
        if self.time_zone not in available_timezones():
            errors["time_zone"] = "Unknown time zone. Enter one such as Europe/Berlin."
        if (self.quiet_from is None) != (self.quiet_until is None):
            errors["quiet_until"] = "Enter both the start and the end of the quiet hours."
        elif self.quiet_from is not None and self.quiet_from == self.quiet_until:
            errors["quiet_until"] = "The quiet hours must not start and end at the same time."
        elif self.schedule == Schedule.DAILY and self._is_quiet(time(self.digest_hour)):
            errors["digest_hour"] = "The digest hour must be outside the quiet hours."
        return errors


def _next(local: datetime, at: time) -> datetime:
    """The next time after ``local`` at which clocks show ``at``."""
    when = local.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
    return when if when > local else when + timedelta(days=1)


def _is_id(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= 255


def _not_among(words: Any, known: tuple[str, ...]) -> str:
    if not isinstance(words, list):
        return "Enter a list"
    unknown = [str(word) for word in words if word not in known]
    return f"Unknown: {', '.join(unknown)[:100]}" if unknown else ""


for changed in (Subscription, Endpoint):
    post_save.connect(change_revision, sender=changed)
    post_delete.connect(change_revision, sender=changed)
