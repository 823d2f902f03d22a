import json
from typing import Any

from django.core.management.base import BaseCommand

from eventbus.checks import TAG
from eventbus.conf import bus_settings
from eventbus.events.asyncapi import document
from eventbus.outbox.published import published

VERSION = "1.0.0"


class Command(BaseCommand):
    help = "Print the events that this project publishes, as an AsyncAPI 3 document in JSON."
    requires_system_checks = [TAG]

    def handle(self, **options: Any) -> None:
        described = document(f"Events of {bus_settings().service_name}", VERSION, published())
        self.stdout.write(json.dumps(described, indent=2))
