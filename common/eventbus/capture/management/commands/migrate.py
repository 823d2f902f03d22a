from django.core.management.commands import migrate

from eventbus.capture.trigger.detecting import TriggerAutodetector


class Command(migrate.Command):
    """As in Django; what it says of changes without a migration includes publications."""

    autodetector = TriggerAutodetector
