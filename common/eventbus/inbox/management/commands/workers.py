import socket
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rich.table import Table

from eventbus.inbox.models import WorkerState
from eventbus.inbox.running.health import ALIVE
from eventbus.inbox.running.heartbeat import shown_partitions
from eventbus.running.command_line import console


class Command(BaseCommand):
    help = (
        "List this project's workers that sent a heartbeat in the last "
        f"{ALIVE.seconds} seconds. Exits with 1 if there are none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--here", action="store_true", help="only workers on this host, for a health check"
        )

    def handle(self, *, here: bool, **options: Any) -> None:
        alive = WorkerState.objects.filter(seen_at__gt=timezone.now() - ALIVE).order_by(
            "host", "pid"
        )
        if here:
            alive = alive.filter(host=socket.gethostname())
        workers = list(alive)
        if not workers:
            self.stdout.write(f"No worker seen in the last {ALIVE.seconds} seconds.")
            sys.exit(1)
        console(self.stdout).print(_table(workers))


def _table(workers: list[WorkerState]) -> Table:
    now = timezone.now()
    table = Table("worker", "group", "partitions")
    for name in ("lag", "lost", "events/s", "up", "seen"):
        table.add_column(name, justify="right", no_wrap=True)
    for worker in workers:
        up = (now - worker.started_at).total_seconds()
        seen = (now - worker.seen_at).total_seconds()
        what = (f"{worker.host}:{worker.pid}", worker.consumer, shown_partitions(worker.partitions))
        pace = (
            f"{worker.lag:,}",
            f"{worker.lost:,}",
            f"{worker.rate:,.0f}",
            f"{up:,.0f} s",
            f"{seen:.0f} s ago",
        )
        table.add_row(*what, *pace)
    return table
