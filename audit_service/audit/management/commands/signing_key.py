from typing import Any

from django.core.management.base import BaseCommand

from audit_service.audit.proof.checkpoints import new_keys


class Command(BaseCommand):
    help = "Generate a key pair for signing checkpoints, and print it as environment variables."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        private, public = new_keys()
        self.stdout.write(f"AUDIT_SIGNING_KEY={private}")
        self.stdout.write(f"AUDIT_PUBLIC_KEYS={public}")
        self.stderr.write(
            "Keep the first key secret. Give the second to everyone who checks checkpoints."
        )
