import getpass
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from audit_service.audit.models import AuditEntry, ExportRecord
from audit_service.audit.reading.exporting import FORMATS, MissingLibrary
from eventbus.running.command_line import moment, progress

CHUNK = 2000
REPORT_EVERY = 1000


class Command(BaseCommand):
    help = "Export entries of the record. The export itself is recorded as well."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=FORMATS, default="ndjson")
        parser.add_argument(
            "--since", type=moment, help="only entries recorded at or after this time (ISO 8601)"
        )
        parser.add_argument(
            "--until", type=moment, help="only entries recorded before this time (ISO 8601)"
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="write to this file (default: standard output)",
        )

    def handle(
        self, *, since: datetime | None, until: datetime | None, output: Path | None, **options: Any
    ) -> None:
        file_format = options["format"]
        if output is None and file_format == "parquet" and sys.stdout.isatty():
            raise CommandError("Parquet cannot be written to a terminal: name a file with --output")
        entries = chosen(since, until)
        count = entries.count()
        start, end = (when.isoformat() if when else "ever" for when in (since, until))
        ExportRecord.objects.create(
            actor=f"{getpass.getuser()} (shell)",
            what=f"entries recorded from {start} until {end} as {file_format}",
        )
        try:
            if output is None:
                self._write(file_format, entries, count, sys.stdout.buffer)
            else:
                self._write_whole(file_format, entries, count, output)
        except MissingLibrary as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from error
        where = f" to {output}" if output else ""
        self.stderr.write(f"{count:,} entries exported{where}.")

    def _write_whole(
        self, file_format: str, entries: QuerySet[AuditEntry], count: int, output: Path
    ) -> None:
        """Write to a temporary file, and rename it once it is complete."""
        part = output.with_name(f"{output.name}.part")
        try:
            with part.open("wb") as file:
                self._write(file_format, entries, count, file)
            os.replace(part, output)
        finally:
            part.unlink(missing_ok=True)

    def _write(
        self, file_format: str, entries: QuerySet[AuditEntry], count: int, file: BinaryIO
    ) -> None:
        with progress() as bars:
            bar = bars.add_task("", total=count)

            def counted() -> Iterator[AuditEntry]:
                for number, entry in enumerate(entries.iterator(CHUNK), 1):
                    yield entry
                    if number % REPORT_EVERY == 0 or number == count:
                        bars.update(bar, completed=number)

            FORMATS[file_format](counted(), file)


def chosen(since: datetime | None, until: datetime | None) -> QuerySet[AuditEntry]:
    """Select entries by their time of recording, in the order of recording."""
    entries = AuditEntry.objects.order_by("id")
    if since:
        entries = entries.filter(recorded_at__gte=since)
    if until:
        entries = entries.filter(recorded_at__lt=until)
    return entries
