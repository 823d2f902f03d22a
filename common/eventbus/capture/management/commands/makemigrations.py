from django.core.management.commands import makemigrations

from eventbus.capture.trigger.detecting import TriggerAutodetector


class Command(makemigrations.Command):
    """As in Django, and the operations of publications by triggers."""

    autodetector = TriggerAutodetector
