import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from common.events.asyncapi import document
from common.events.contract import contracts

VERSION = "1.0.0"


class Command(BaseCommand):
    help = "Print what the service tells on Kafka as an AsyncAPI 3 document, in JSON."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        described = document(f"Events of {settings.SERVICE_NAME}", VERSION, contracts())
        self.stdout.write(json.dumps(described, indent=2))
