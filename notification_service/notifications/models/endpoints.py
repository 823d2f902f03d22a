"""Webhook endpoints."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from notification_service.notifications.destinations.addresses import AddressRefused, checked_url

LONGEST_URL = 2000
SECRET_BYTES = 32  # the specification requires 24 to 64


def new_secret() -> str:
    """Create a symmetric secret in the format of Standard Webhooks 1.0.0: ``whsec_`` and base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


class SecretField(models.CharField):  # type: ignore[type-arg]
    """A column with a new secret as its default. Migrations see Django's field."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"default": new_secret, **options})

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        del options["default"]
        return name, "django.db.models.CharField", args, options


class Endpoint(models.Model):
    """A webhook URL of another application, and the secrets that sign its messages."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    url = models.URLField("URL", max_length=LONGEST_URL)
    secret: "models.CharField[str, str]" = SecretField(max_length=255, editable=False)
    previous_secret = models.CharField(max_length=255, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    ROTATION = timedelta(hours=24)
    """How long the previous secret stays valid after a rotation."""

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Normalize the URL to the form in which it is requested."""
        try:
            self.url = checked_url(self.url)
        except AddressRefused as error:
            raise ValidationError({"url": str(error)}) from None
        if len(self.url) > LONGEST_URL:
            raise ValidationError(
                {"url": f"The URL is longer than {LONGEST_URL:,} characters in ASCII."}
            )
        if self.is_active:
            self.disabled_reason = ""

    @property
    def lane(self) -> str:
        """The name of its lane."""
        return f"endpoint:{self.pk}"

    def valid_secrets(self, now: datetime) -> list[str]:
        """The secrets to sign with, newest first."""
        if self.previous_until is None or now >= self.previous_until:
            return [self.secret]
        return [self.secret, self.previous_secret]

    def rotate(self) -> str:
        """Replace the secret. For 24 hours, messages are signed with the previous one as well.

        :returns: the new secret, which is not shown again.
        """
        self.previous_secret, self.secret = self.secret, new_secret()
        self.previous_until = timezone.now() + self.ROTATION
        self.save(update_fields=["secret", "previous_secret", "previous_until"])
        return self.secret

    def disable(self, reason: str) -> None:
        """Stop sending to this endpoint until a user activates it again."""
        self.is_active = False
        self.disabled_reason = reason[:255]
        self.save(update_fields=["is_active", "disabled_reason"])
