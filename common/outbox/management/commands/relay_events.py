from django.core.management.base import BaseCommand

from common.kafka.clients import producer
from common.outbox.relay import Relay
from common.shutdown import stop_on_signals


class Command(BaseCommand):
    help = "Relay events from the outbox to Kafka until stopped. A second relay stands by."

    def handle(self, **options: object) -> None:
        Relay(producer, stop_on_signals()).run()
