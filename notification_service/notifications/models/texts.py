"""Custom texts of messages."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from notification_service.notifications.rendering import WrongTemplate, check


class MessageTemplate(models.Model):
    """A custom text for one kind of message in one language. It replaces the default text."""

    kind = models.CharField(max_length=20)
    language = models.CharField(max_length=10, choices=settings.LANGUAGES)
    text = models.TextField(
        max_length=1000,
        help_text="A Django template, for example: {{ name }} now costs {{ price }}.",
    )

    class Meta:
        ordering = ["kind", "language"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "language"], name="message_template_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind}, {self.language}"

    def clean(self) -> None:
        try:
            check(self.kind, self.text)
        except WrongTemplate as error:
            raise ValidationError({"text": str(error)}) from None
