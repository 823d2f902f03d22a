"""Ways to store the events of a topic in PostgreSQL, with an audit row and an inbox row each.

Run by the benchmark ``consume``, each in a separate process that prints its events per second. The
clock runs from the first message to the last commit, without joining the group.
"""

import asyncio
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import django

from eventbus.conf import bus_settings

django.setup()

from asgiref.sync import sync_to_async  # noqa: E402  Django must be set up first
from django.db import connection, transaction  # noqa: E402

from audit_service.audit.models import AuditEntry  # noqa: E402
from audit_service.audit.record.sealing import SEALED  # noqa: E402
from eventbus.inbox.models import InboxMessage  # noqa: E402

TOPIC = "product.events"
BATCH = 500
GROUP = f"benchmark-{uuid.uuid4()}"
SERVERS = ",".join(bus_settings().kafka["bootstrap_servers"])


@dataclass
class Clock:
    """Counts committed events, starting with the first message."""

    wanted: int
    counted: int = 0
    started: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start the clock at the first message; later calls do nothing."""
        self.started = self.started or time.perf_counter()

    def committed(self, events: int) -> bool:
        """Count newly committed events.

        :returns: whether these were the last.
        """
        self.counted += events
        return self.counted >= self.wanted

    def rate(self) -> float:
        return self.counted / (time.perf_counter() - self.started)


def entry(event: dict[str, Any], record: Any) -> AuditEntry:
    """The audit row, in plain Django and json."""
    return AuditEntry(
        event_id=event["id"],
        source=event["source"],
        type=event["type"],
        subject=event["subject"],
        sequence=event["sequence"],
        time=datetime.fromisoformat(event["time"]),
        actor=event["actor"],
        correlation_id=event["correlationid"],
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        value=record.value,
        **unproven(),
    )


def unproven() -> dict[str, Any]:
    """The fields of the chain, which only this project's handler fills."""
    return {"recorded_at": datetime.now().astimezone(), "position": 0, "link": b""}


def inbox_row(event: dict[str, Any]) -> InboxMessage:
    return InboxMessage(consumer=GROUP, event_id=event["id"], source=event["source"])


def store_batch(records: Sequence[Any]) -> int:
    """Two bulk_creates in one transaction, after a query of the inbox."""
    events = [json.loads(record.value) for record in records]
    with transaction.atomic():
        ids = [event["id"] for event in events]
        known = set(
            InboxMessage.objects.filter(consumer=GROUP, event_id__in=ids).values_list(
                "event_id", flat=True
            )
        )
        fresh = [(e, r) for e, r in zip(events, records, strict=True) if e["id"] not in known]
        InboxMessage.objects.bulk_create(inbox_row(event) for event, _ in fresh)
        AuditEntry.objects.bulk_create(entry(event, record) for event, record in fresh)
    return len(records)


def store_one(record: Any) -> int:
    """Two inserts in a transaction."""
    event = json.loads(record.value)
    with transaction.atomic():
        inbox_row(event).save(force_insert=True)
        entry(event, record).save(force_insert=True)
    return 1


def worker(wanted: int) -> float:
    """This project's worker, with the audit service's own handler."""
    from eventbus.inbox.running.stream import Stream
    from eventbus.inbox.running.worker import Worker
    from eventbus.kafka.clients import consumer

    clock = Clock(wanted)
    stop = threading.Event()

    class Timed:
        """The consumer, which also drives the clock."""

        def __init__(self) -> None:
            self._consumer = consumer(GROUP)
            self._pending = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._consumer, name)

        def poll(self, **options: Any) -> Any:
            found = self._consumer.poll(**options)
            if found:
                clock.start()
            self._pending = sum(map(len, found.values()))
            return found

        def commit(self, offsets: Any) -> None:
            self._consumer.commit(offsets)
            if clock.committed(self._pending):
                stop.set()

    stream = Stream(Timed(), stop)  # type: ignore[arg-type]
    Worker(stream, GROUP, [TOPIC], stop, BATCH).run()
    return clock.rate()


def worker_with_one_event_handler(wanted: int) -> float:
    """The same worker, with a handler of one event that writes through the ORM."""
    from eventbus.events import AnyEvent, Event
    from eventbus.inbox.taking.subscriptions import subscribe, subscriptions

    subscriptions.clear()

    @subscribe(AnyEvent)
    def keep(event: Event[Any]) -> None:
        AuditEntry.objects.create(
            event_id=event.id,
            source=event.source,
            type=event.type,
            subject=event.subject,
            sequence=event.sequence,
            time=event.time,
            actor=event.actor,
            correlation_id=event.envelope.correlationid or "",
            topic=event.place.topic,
            partition=event.place.partition,
            offset=event.place.offset,
            value=event.value,
            **unproven(),
        )

    return worker(wanted)


def plain_loop(wanted: int) -> float:
    """One event, one transaction, one commit: the obvious first version."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=SERVERS,
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    clock = Clock(wanted)
    for record in consumer:
        clock.start()
        stored = store_one(record)
        consumer.commit()
        if clock.committed(stored):
            break
    rate = clock.rate()
    consumer.close()
    return rate


def faststream_batch(wanted: int) -> float:
    """FastStream's subscriber of batches, and bulk_create."""
    options = {"batch": True, "max_records": BATCH}
    return asyncio.run(_faststream(wanted, store_batch, options))


def faststream_each(wanted: int) -> float:
    """FastStream's subscriber of single messages, one transaction each."""
    return asyncio.run(_faststream(wanted, store_one, {}))


def django_kafka_each(wanted: int) -> float:
    """django-kafka's consumer, with a topic class that stores each message in a transaction."""
    from django_kafka import kafka
    from django_kafka.consumer import Consumer, Topics
    from django_kafka.topic import TopicConsumer

    clock = Clock(wanted)
    stop = threading.Event()

    class ProductEvents(TopicConsumer):  # type: ignore[misc]
        name = TOPIC

        def consume(self, msg: Any) -> None:
            clock.start()
            if clock.committed(store_one(_Record(msg))):
                stop.set()

    @kafka.consumers()
    class Events(Consumer):  # type: ignore[misc]
        topics = Topics(ProductEvents())
        config = {
            "bootstrap.servers": SERVERS,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,
        }

    Events().start(stop)
    return clock.rate()


class _Record:
    """A message of confluent-kafka, with kafka-python's attribute names."""

    def __init__(self, message: Any) -> None:
        self.topic = message.topic()
        self.partition = message.partition()
        self.offset = message.offset()
        self.value = message.value()


async def _faststream(wanted: int, store: Callable[[Any], int], options: dict[str, Any]) -> float:
    from faststream import AckPolicy
    from faststream.kafka import KafkaBroker
    from faststream.kafka.annotations import KafkaMessage

    broker = KafkaBroker(SERVERS, logger=None)
    clock = Clock(wanted)
    done = asyncio.Event()

    @broker.subscriber(  # type: ignore[untyped-decorator]
        TOPIC,
        group_id=GROUP,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
        **options,
    )
    async def handle(message: KafkaMessage) -> None:
        clock.start()
        stored = await sync_to_async(store)(message.raw_message)
        if clock.committed(stored):
            done.set()

    await broker.start()
    await done.wait()
    rate = clock.rate()
    await broker.stop()
    return rate


def confluent_copy(wanted: int) -> float:
    """librdkafka's consumer, msgspec, and COPY into both tables."""
    import msgspec
    from confluent_kafka import Consumer

    from eventbus.events import Envelope

    consumer = Consumer(
        {
            "bootstrap.servers": SERVERS,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([TOPIC])
    decoder = msgspec.json.Decoder(Envelope)
    table = AuditEntry._meta.db_table
    columns = ", ".join(f'"{name}"' for name in (*SEALED, "position", "link"))
    clock = Clock(wanted)
    while not clock.counted or clock.counted < wanted:
        records = consumer.consume(BATCH, timeout=1)
        if not records:
            continue
        clock.start()
        now = datetime.now().astimezone()
        with transaction.atomic(), connection.cursor() as cursor:
            events = [decoder.decode(record.value()) for record in records]
            with cursor.copy(
                "COPY eventbus_inbox_inboxmessage (consumer, event_id, source, received_at) "
                "FROM STDIN"
            ) as copy:
                for event in events:
                    copy.write_row((GROUP, event.id, event.source, now))
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for event, record in zip(events, records, strict=True):
                    copy.write_row(
                        (
                            record.partition(),
                            record.offset(),
                            now,
                            record.topic(),
                            event.id,
                            event.source,
                            event.type,
                            event.subject,
                            event.sequence,
                            event.time,
                            event.actor,
                            event.correlationid,
                            "",
                            "[]",
                            record.value(),
                            0,
                            b"",
                        )
                    )
        consumer.commit(asynchronous=False)
        clock.committed(len(records))
    rate = clock.rate()
    consumer.close()
    return rate


CONTENDERS: dict[str, Callable[[int], float]] = {
    function.__name__: function
    for function in (
        worker,
        worker_with_one_event_handler,
        plain_loop,
        faststream_batch,
        faststream_each,
        django_kafka_each,
        confluent_copy,
    )
}

if __name__ == "__main__":
    name, events = sys.argv[1:]
    sys.stdout.write(f"{CONTENDERS[name](int(events))}\n")
