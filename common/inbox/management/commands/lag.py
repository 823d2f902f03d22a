from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table

from common.command_line import console
from common.inbox.subscriptions import subscribed_topics
from common.kafka.connecting import KafkaRefused, KafkaUnavailable
from common.kafka.lag import PartitionLag, group_lag


class Command(BaseCommand):
    help = "Show how far this service's consumer group is behind, by partition."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *, json: bool, **options: Any) -> None:
        topics = settings.CONSUMER_TOPICS or subscribed_topics()
        try:
            partitions = group_lag(settings.CONSUMER_GROUP, topics)
        except (KafkaUnavailable, KafkaRefused) as error:
            raise CommandError(str(error)) from error
        if json:
            self.stdout.write(msgspec.json.encode(partitions).decode())
        elif partitions:
            console(self.stdout).print(_table(partitions))
        else:
            self.stdout.write(f"Kafka has no topic {', '.join(topics)} yet: nothing to be behind.")


def _table(partitions: list[PartitionLag]) -> Table:
    table = Table(title=f"{settings.CONSUMER_GROUP}: {sum(p.lag for p in partitions):,} behind")
    table.add_column("topic")
    for name in ("partition", "committed", "end", "lag", "seconds behind"):
        table.add_column(name, justify="right")
    for p in partitions:
        committed = "never" if p.committed is None else f"{p.committed:,}"
        numbers = (str(p.partition), committed, f"{p.end:,}", f"{p.lag:,}", f"{p.seconds_behind:,}")
        table.add_row(p.topic, *numbers)
    return table
