import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus.checks import TAG
from eventbus.conf import bus_settings
from eventbus.events.asyncapi import document
from eventbus.events.compatibility import breaking_changes
from eventbus.outbox.published import published

VERSION = "1.0.0"


class Command(BaseCommand):
    help = "Print the events that this project publishes, as an AsyncAPI 3 document in JSON."
    requires_system_checks = [TAG]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--released",
            type=Path,
            metavar="FILE",
            help="instead, compare with the document of the last release, and exit with 1 if "
            "consumers that were written for it would break",
        )

    def handle(self, *, released: Path | None, **options: Any) -> None:
        described = document(f"Events of {bus_settings().service_name}", VERSION, published())
        if released is None:
            self.stdout.write(json.dumps(described, indent=2))
            return
        changes = breaking_changes(_read(released), described)
        for change in changes:
            self.stdout.write(change)
        if changes:
            raise CommandError(
                "Consumers would break. Publish a new event type beside the old one instead"
            )
        self.stdout.write(f"Compatible with {released}")


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        found["components"]["schemas"], found["components"]["messages"], found["channels"]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise CommandError(
            f"{path} is no AsyncAPI document. Write one: python manage.py asyncapi > {path}"
        ) from None
    return found
