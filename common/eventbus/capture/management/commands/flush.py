from typing import Any

from django.core.management.commands import flush

from eventbus.capture.trigger.origin import settling


class Command(flush.Command):
    """As in Django, without events of the deleted rows: the outbox is emptied as well."""

    def handle(self, **options: Any) -> None:
        """Django's tests do so after each that commits."""
        with settling():
            super().handle(**options)
