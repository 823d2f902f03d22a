from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from audit_service.audit.proof.checkpoints import (
    BadCheckpoint,
    NoKey,
    Statement,
    opened,
    public_key,
    trusted_keys,
)
from audit_service.audit.proof.statements import Named, Statements
from eventbus.running.command_line import console


class Command(BaseCommand):
    help = (
        "Check exported checkpoints without a database: their signatures, their contents, and "
        "whether they contradict each other. Exits with 1 if one cannot be trusted."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", type=Path, nargs="+", metavar="file")
        parser.add_argument(
            "--public-key", dest="key", help="public key in base64 (default: AUDIT_PUBLIC_KEYS)"
        )

    def handle(self, *, files: list[Path], key: str | None, **options: Any) -> None:
        try:
            keys = trusted(key)
            envelopes: list[Named] = [(str(file), file.read_bytes()) for file in files]
            for name, envelope in envelopes:
                self._show(name, opened(envelope, keys))
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except (BadCheckpoint, NoKey) as error:
            raise CommandError(str(error)) from error
        if problems := Statements(envelopes, keys).problems():
            raise CommandError("; ".join(problems))

    def _show(self, name: str, statement: Statement) -> None:
        table = Table("partition", "entries", "link", title=name)
        table.columns[1].justify = "right"
        for end in statement.chains:
            table.add_row(f"{end.topic}/{end.partition}", f"{end.position:,}", end.link)
        console(self.stdout).print(table)
        self.stdout.write(f"Valid signature, made at {statement.created_at.isoformat()}.")


def trusted(given: str | None) -> list[Any]:
    """The keys to check signatures with."""
    return [public_key(given)] if given else trusted_keys()
