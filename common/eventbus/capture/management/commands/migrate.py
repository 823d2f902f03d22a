from typing import Any

from django.core.management.commands import migrate

from eventbus.capture.trigger.detecting import TriggerAutodetector
from eventbus.capture.trigger.restoring import restore


class Command(migrate.Command):
    """As in Django; what it says of changes without a migration includes publications."""

    autodetector = TriggerAutodetector

    def handle(self, *arguments: Any, **options: Any) -> None:
        """Whatever a migration ends with, no table is left without its triggers."""
        try:
            super().handle(*arguments, **options)
        except Exception:
            restore(options["database"])
            raise
