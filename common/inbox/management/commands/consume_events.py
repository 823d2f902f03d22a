import threading
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from common.inbox.subscriptions import subscribed_topics, subscriptions
from common.inbox.worker import Worker
from common.kafka.clients import Consumer, KafkaUnavailable, consumer
from common.shutdown import stop_on_signals

log = structlog.get_logger(__name__)

WAIT_SECONDS = 1.0


class Command(BaseCommand):
    help = "Consume events and run this service's handlers until stopped (SIGTERM, Ctrl-C)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--drain", action="store_true", help="leave when caught up")
        parser.add_argument("--batch-size", type=int, default=500, help="messages a transaction")

    def handle(self, *, drain: bool, batch_size: int, **options: Any) -> None:
        topics = settings.CONSUMER_TOPICS or subscribed_topics()
        if not topics or not subscriptions:
            raise CommandError("No handlers: declare one with @subscribe in an app's handlers.py")
        if batch_size < 1:
            raise CommandError("--batch-size must be at least 1")
        group = settings.CONSUMER_GROUP
        self._banner(group, topics)
        stop = stop_on_signals()
        member = _connect(group, topics, stop)
        if member is None:
            return
        started = time.monotonic()
        worker = Worker(member, group, topics, stop, batch_size, drain)
        worker.run()
        seconds = time.monotonic() - started
        self.stdout.write(
            f"Stopped after {seconds:.0f} s: {worker.handled} handled, {worker.parked} parked."
        )

    def _banner(self, group: str, topics: list[str]) -> None:
        database = connection.settings_dict
        lines = [
            f"consume_events of {settings.SERVICE_NAME}",
            f"  group     {group}",
            f"  topics    {', '.join(topics)}",
            f"  broker    {', '.join(settings.KAFKA['bootstrap_servers'])}",
            f"  database  {connection.vendor} {database['NAME']}",
            *(f"  handler   {subscription}" for subscription in subscriptions),
        ]
        self.stdout.write("\n".join(lines))


def _connect(group: str, topics: list[str], stop: threading.Event) -> Consumer | None:
    """A consumer once Kafka answers and has the topics; None when told to stop before that."""
    said = ""
    while not stop.is_set():
        try:
            member = consumer(group)
            missing = [topic for topic in topics if not member.partitions_for_topic(topic)]
            if not missing:
                return member
            member.close()
            problem = f"no topic {', '.join(missing)}; create_topics makes it"
        except KafkaUnavailable as error:
            problem = str(error)
        if problem != said:
            said = problem
            log.warning("waiting for Kafka", problem=problem)
        stop.wait(WAIT_SECONDS)
    return None
