import sys

from django.conf import settings
from django.core.management.base import BaseCommand

from common.inbox import parking


class Command(BaseCommand):
    help = "Run parked events again, each key in order. Exits with 1 while some still wait."

    def handle(self, **options: object) -> None:
        handled, waiting = parking.retry(settings.CONSUMER_GROUP)
        self.stdout.write(f"{handled} handled, {waiting} still parked.")
        if waiting:
            sys.exit(1)
