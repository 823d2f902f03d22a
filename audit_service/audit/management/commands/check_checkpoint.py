from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from audit_service.audit.checkpoints import (
    BadCheckpoint,
    NoKey,
    opened,
    public_key,
    trusted_keys,
)
from common.command_line import console


class Command(BaseCommand):
    help = "Check an exported checkpoint, without the database: who signed it, and what it says."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--public-key", dest="key", help="in base64 (default: AUDIT_PUBLIC_KEYS)"
        )

    def handle(self, *, file: Path, key: str | None, **options: Any) -> None:
        try:
            statement = opened(file.read_bytes(), trusted(key))
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        except (BadCheckpoint, NoKey) as error:
            raise CommandError(str(error)) from error
        table = Table("partition", "entries", "link")
        table.columns[1].justify = "right"
        for end in statement.chains:
            table.add_row(f"{end.topic}/{end.partition}", f"{end.position:,}", end.link)
        console(self.stdout).print(table)
        self.stdout.write(f"Signed, and stood so at {statement.created_at.isoformat()}.")


def trusted(given: str | None) -> list[Any]:
    """The keys to check with."""
    return [public_key(given)] if given else trusted_keys()
