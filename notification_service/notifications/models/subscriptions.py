"""What people, and other applications, want to be told of."""

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
    """A text as it is compared with names: without case, and in Unicode NFC, as names are."""
    return normalize("NFC", text).strip().casefold()


class Channel(models.TextChoices):
    """How a message gets there."""

    IN_APP = "in_app", "in the application"
    EMAIL = "email", "e-mail"
    WEBHOOK = "webhook", "webhook"


class Products(models.TextChoices):
    """Which products a subscription is about."""

    ALL = "all", "all products"
    CATEGORY = "category", "of a category"
    LIST = "list", "of a list"
    TEXT = "text", "with a text in the name"


class Condition(models.TextChoices):
    """What must have happened."""

    ANYTHING = "anything", "anything"
    PRICE_DROPPED = Fact.PRICE_DROPPED.value, "the price dropped"
    OUT_OF_STOCK = Fact.OUT_OF_STOCK.value, "out of stock"
    BACK_IN_STOCK = Fact.BACK_IN_STOCK.value, "back in stock"
    NEW_IN_CATEGORY = Fact.NEW_IN_CATEGORY.value, "new in a category"
    DELETED = Fact.DELETED.value, "deleted"


class Schedule(models.TextChoices):
    """When it is told."""

    AT_ONCE = "at_once", "at once"
    DAILY = "daily", "once a day, together"


class Subscription(models.Model):
    """Who is told of which events, by which channel, and when.

    Changes are seen by the workers with their next batch, as long as they are made by ``save()``
    and ``delete()``: a queryset's ``update()`` passes them by.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.IN_APP)
    endpoint = models.ForeignKey(
        Endpoint,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text="Where webhooks go.",
    )
    event_types = models.JSONField(
        default=list, blank=True, help_text="Event types that count; empty for all of products."
    )
    products = models.CharField(max_length=10, choices=Products, default=Products.ALL)
    category = models.CharField(max_length=255, blank=True, help_text="The slug of a category.")
    product_ids = models.JSONField(default=list, blank=True, help_text="Ids of products, as texts.")
    text = models.CharField(
        max_length=100,
        blank=True,
        help_text=f"A text in the name, of {LEAST_LETTERS} letters at least; case is ignored.",
    )
    condition = models.CharField(max_length=20, choices=Condition, default=Condition.ANYTHING)
    percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Tell of a price that dropped by at least so many percent.",
    )
    below = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Or of one that dropped to below this, in the currency of the product.",
    )
    schedule = models.CharField(max_length=10, choices=Schedule, default=Schedule.AT_ONCE)
    digest_hour = models.PositiveSmallIntegerField(
        default=8, validators=[MaxValueValidator(23)], help_text="The hour of the daily message."
    )
    quiet_from = models.TimeField(
        null=True, blank=True, help_text="From then on nothing is sent; it waits until they end."
    )
    quiet_until = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="Of the hours, such as Europe/Berlin."
    )
    language = models.CharField(max_length=10, choices=settings.LANGUAGES, default="en")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_condition_display()}, {self.which()}, {self.get_channel_display()}"

    def which(self) -> str:
        """The products, in words."""
        match self.products:
            case Products.CATEGORY:
                return f"products of {self.category}"
            case Products.LIST:
                count = len(self.product_ids)
                return "1 product" if count == 1 else f"{count} products"
            case Products.TEXT:
                return f"products with “{self.text}”"
        return "all products"

    def clean(self) -> None:
        errors = {**self._errors_of_products(), **self._errors_of_times()}
        if unknown := _not_among(self.event_types, EVENT_TYPES):
            errors["event_types"] = f"{unknown}; there are {', '.join(EVENT_TYPES)}."
        if (self.channel == Channel.WEBHOOK) != (self.endpoint_id is not None):
            errors["endpoint"] = "A webhook needs one, and only a webhook."
        if self.channel == Channel.WEBHOOK and self.schedule == Schedule.DAILY:
            errors["schedule"] = "Applications are told at once."
        if self.endpoint is not None and self.endpoint.owner_id != self.owner_id:
            errors["endpoint"] = "It belongs to somebody else."
        if self.condition != Condition.PRICE_DROPPED:
            for name in ("percent", "below"):
                if getattr(self, name) is not None:
                    errors[name] = "Only for a price that dropped."
        if errors:
            raise ValidationError(errors)

    def due(self, now: datetime) -> datetime:
        """When to tell of something that is decided now."""
        if self.schedule == Schedule.DAILY:
            local = now.astimezone(self.zone)
            return _next(local, time(self.digest_hour)).astimezone(now.tzinfo)
        return self.after_quiet(now)

    def after_quiet(self, when: datetime) -> datetime:
        """The first moment from then on that is not in the quiet hours."""
        local = when.astimezone(self.zone)
        if self._is_quiet(local.time()):
            return _next(local, self.quiet_until or time()).astimezone(when.tzinfo)
        return when

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of its hours."""
        return ZoneInfo(self.time_zone)

    def _is_quiet(self, at: time) -> bool:
        """Whether a time of day is in the quiet hours, which may go over midnight."""
        start, end = self.quiet_from, self.quiet_until
        if start is None or end is None:
            return False
        return start <= at < end if start < end else at >= start or at < end

    def _errors_of_products(self) -> dict[str, Any]:
        errors = {}
        ids = self.product_ids
        if not isinstance(ids, list) or not all(_is_id(word) for word in ids):
            errors["product_ids"] = 'A list of ids as texts, such as ["17", "18"].'
        elif len(ids) > MOST_PRODUCTS:
            errors["product_ids"] = f"{MOST_PRODUCTS} at the most; a category may say it better."
        elif self.products == Products.LIST and not ids:
            errors["product_ids"] = "Name a product at least."
        if self.products == Products.CATEGORY and not self.category:
            errors["category"] = "Name one."
        if self.products == Products.TEXT and len(folded(self.text)) < LEAST_LETTERS:
            errors["text"] = f"{LEAST_LETTERS} letters at least."
        return errors

    def _errors_of_times(self) -> dict[str, Any]:
        errors = {}
        if self.time_zone not in available_timezones():
            errors["time_zone"] = "No such time zone; one is Europe/Berlin."
        if (self.quiet_from is None) != (self.quiet_until is None):
            errors["quiet_until"] = "Quiet hours need a beginning and an end."
        elif self.quiet_from is not None and self.quiet_from == self.quiet_until:
            errors["quiet_until"] = "Then they never end."
        elif self.schedule == Schedule.DAILY and self._is_quiet(time(self.digest_hour)):
            errors["digest_hour"] = "This hour is quiet."
        return errors


def _next(local: datetime, at: time) -> datetime:
    """The next time that clocks show this, after a moment."""
    when = local.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
    return when if when > local else when + timedelta(days=1)


def _is_id(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= 255


def _not_among(words: Any, known: tuple[str, ...]) -> str:
    if not isinstance(words, list):
        return "This is no list"
    unknown = [str(word) for word in words if word not in known]
    return f"Unknown: {', '.join(unknown)[:100]}" if unknown else ""


for changed in (Subscription, Endpoint):
    post_save.connect(change_revision, sender=changed)
    post_delete.connect(change_revision, sender=changed)
