from django.core.management.base import BaseCommand, CommandError

from eventbus.kafka.connecting import KafkaRefused, KafkaUnavailable
from eventbus.kafka.topics import create_topics
from eventbus.outbox.published import published_topics
from eventbus.running.lifecycle import REFUSED


class Command(BaseCommand):
    help = "Create the Kafka topics of this project's events. Existing topics are left unchanged."

    def handle(self, **options: object) -> None:
        try:
            for topic in create_topics(published_topics()):
                done = "created" if topic.created else "exists"
                self.stdout.write(f"{topic.name}: {done}, {topic.partitions} partitions")
        except KafkaUnavailable as error:
            raise CommandError(str(error)) from error
        except KafkaRefused as error:
            raise CommandError(str(error), returncode=REFUSED) from error
