import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from kafka.errors import KafkaError

from common.inbox.subscriptions import subscribed_topics, subscriptions
from common.inbox.worker import Worker
from common.kafka.clients import consumer
from common.kafka.connecting import KafkaRefused, KafkaUnavailable
from common.kafka.topics import missing_topics
from common.lifecycle import missing_migrations, stop_on_signals, wait_until_ready


class Command(BaseCommand):
    help = "Consume events and run this service's handlers until stopped (SIGTERM, Ctrl-C)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--drain", action="store_true", help="leave when caught up")
        parser.add_argument(
            "--batch-size", type=int, default=500, help="messages a transaction (default: 500)"
        )

    def handle(self, *, drain: bool, batch_size: int, **options: Any) -> None:
        topics = settings.CONSUMER_TOPICS or subscribed_topics()
        if not topics or not subscriptions:
            raise CommandError("No handlers: declare one with @subscribe in an app's handlers.py")
        if batch_size < 1:
            raise CommandError("--batch-size must be at least 1")
        group = settings.CONSUMER_GROUP
        self._banner(group, topics)
        stop = stop_on_signals()
        try:
            if not wait_until_ready(lambda: missing_migrations() or missing_topics(topics), stop):
                return
            started = time.monotonic()
            worker = Worker(consumer(group), group, topics, stop, batch_size, drain)
            worker.run()
        except (KafkaUnavailable, KafkaRefused) as error:
            raise CommandError(str(error)) from error
        except KafkaError as error:
            raise CommandError(f"Kafka refuses: {error}") from error
        seconds = time.monotonic() - started
        self.stdout.write(
            f"Stopped after {seconds:.0f} s: {worker.handled} handled, {worker.parked} parked."
        )

    def _banner(self, group: str, topics: list[str]) -> None:
        lines = [
            f"consume_events of {settings.SERVICE_NAME}",
            f"  group     {group}",
            f"  topics    {', '.join(topics)}",
            f"  broker    {', '.join(settings.KAFKA['bootstrap_servers'])}",
            f"  database  {connection.vendor} {connection.settings_dict['NAME']}",
            *(f"  handler   {subscription}" for subscription in subscriptions),
        ]
        self.stdout.write("\n".join(lines))
