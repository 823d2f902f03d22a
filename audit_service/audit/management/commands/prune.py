from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit_service.audit.proof.checkpoints import NoKey
from audit_service.audit.record.months import month_of
from audit_service.audit.retention import NotCovered, prune


def month(text: str) -> datetime:
    """Parse a month such as 2026-11, and return its start in UTC."""
    try:
        start = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ArgumentTypeError("must be a month such as 2026-11") from None
    if start > month_of(timezone.now()):
        raise ArgumentTypeError("must not be later than the current month")
    return start


class Command(BaseCommand):
    help = (
        "Delete all entries recorded before a month (UTC). Refused unless exported, signed "
        "checkpoints cover all of them, and no checkpoint contradicts the record or another "
        "checkpoint. Export the entries first if you want to keep them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--before", type=month, required=True, help="first month to keep, such as 2026-11"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count the entries")

    def handle(self, *, before: datetime, dry_run: bool, **options: Any) -> None:
        try:
            pruned = prune(before, dry_run=dry_run)
        except (NotCovered, NoKey) as error:
            raise CommandError(str(error)) from error
        done = "Would delete" if dry_run else "Deleted"
        self.stdout.write(f"{done} {pruned.entries:,} entries (months: {pruned.months}).")
