from concurrent.futures import ThreadPoolExecutor

from django.core.management.base import BaseCommand, CommandError

from eventbus.kafka.clients import producer
from eventbus.kafka.connecting import KafkaRefused
from eventbus.kafka.topics import missing_topics
from eventbus.outbox.published import published_topics
from eventbus.outbox.relaying.relay import Relay
from eventbus.running.lifecycle import (
    REFUSED,
    missing_migrations,
    stop_on_signals,
    wait_until_ready,
)


def what_is_missing() -> str:
    """What the relay still lacks: its table, a broker, or the topics it publishes to."""
    return missing_migrations(["eventbus_outbox"]) or missing_topics(published_topics())


class Command(BaseCommand):
    help = "Publish events from the outbox to Kafka until stopped. Additional relays stand by."

    def handle(self, **options: object) -> None:
        stop = stop_on_signals()
        try:
            if wait_until_ready(what_is_missing, stop):
                # One thread, because a connection and its lock belong to the thread that opened it.
                with ThreadPoolExecutor(1, "outbox") as database:
                    Relay(producer, database, stop).run()
        except KafkaRefused as error:
            raise CommandError(str(error), returncode=REFUSED) from error
