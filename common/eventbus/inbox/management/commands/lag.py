import sys
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table

from eventbus.conf import bus_settings
from eventbus.inbox.taking.subscriptions import consumed_topics
from eventbus.kafka.connecting import KafkaRefused, KafkaUnavailable
from eventbus.kafka.lag import PartitionLag, group_lag
from eventbus.running.command_line import console

LOST = (
    "{:,} messages are lost: Kafka deleted them before this group had read them. The workers skip "
    "them and record them in the admin, under Lost messages."
)


class Command(BaseCommand):
    help = (
        "Show the lag of this project's consumer group, per partition. "
        "Exits with 1 if Kafka has deleted messages that the group had not read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *, json: bool, **options: Any) -> None:
        topics = consumed_topics()
        try:
            partitions = group_lag(bus_settings().group, topics)
        except (KafkaUnavailable, KafkaRefused) as error:
            raise CommandError(str(error)) from error
        if json:
            self.stdout.write(msgspec.json.encode(partitions).decode())
        elif partitions:
            console(self.stdout).print(_table(partitions))
        else:
            self.stdout.write(f"Kafka has no topic {', '.join(topics)} yet: no lag.")
        if lost := sum(partition.lost for partition in partitions):
            self.stderr.write(self.style.ERROR(LOST.format(lost)))
            sys.exit(1)


def _table(partitions: list[PartitionLag]) -> Table:
    table = Table(title=f"{bus_settings().group}: {sum(p.lag for p in partitions):,} behind")
    table.add_column("topic")
    for name in ("partition", "committed", "earliest", "end", "lag", "lost", "seconds behind"):
        table.add_column(name, justify="right")
    for p in partitions:
        committed = "never" if p.committed is None else f"{p.committed:,}"
        offsets = (str(p.partition), committed, f"{p.earliest:,}", f"{p.end:,}")
        table.add_row(p.topic, *offsets, f"{p.lag:,}", f"{p.lost:,}", f"{p.seconds_behind:,}")
    return table
