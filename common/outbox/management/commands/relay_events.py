from concurrent.futures import ThreadPoolExecutor

from django.core.management.base import BaseCommand, CommandError

from common.events.contract import topics
from common.kafka.clients import producer
from common.kafka.connecting import KafkaRefused
from common.kafka.topics import missing_topics
from common.lifecycle import REFUSED, missing_migrations, stop_on_signals, wait_until_ready
from common.outbox.relay import Relay


class Command(BaseCommand):
    help = "Relay events from the outbox to Kafka until stopped. A second relay stands by."

    def handle(self, **options: object) -> None:
        stop = stop_on_signals()
        try:
            if wait_until_ready(lambda: missing_migrations() or missing_topics(topics()), stop):
                # One thread, as a connection and its lock belong to the thread that opened it.
                with ThreadPoolExecutor(1, "outbox") as database:
                    Relay(producer, database, stop).run()
        except KafkaRefused as error:
            raise CommandError(str(error), returncode=REFUSED) from error
