"""How long after its commit a change is visible in the audit service, at 50 events per second.

PostgreSQL records when each transaction was committed (``track_commit_timestamp``), with one clock
for both databases. The floor is kafka-python alone: from ``send()`` to ``poll()``, in one process.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.report import Goal, Report
from benchmarks.rig import Rig
from tests.stack import eventually

A_SECOND = 50
WARM_UP_SECONDS = 3
OURS = "commit to audit row, {}"
FLOOR = "kafka-python, send() to poll(), {}"
PERCENTS = (50, 99)
CREATE = """
import time
from product_service.products.models import Product
begin = time.perf_counter()
for number in range({count}):
    time.sleep(max(0, begin + number / {a_second} - time.perf_counter()))
    Product.objects.create(sku=f"{prefix}-{{number}}", name="Kettle", price=1)
"""
COMMITTED = {
    "product": "SELECT id::text, pg_xact_commit_timestamp(xmin) FROM products_product "
    "WHERE sku LIKE %s",
    "audit": "SELECT subject, pg_xact_commit_timestamp(xmin) FROM audit_auditentry",
}


def measure(rig: Rig) -> Report:
    rounds, seconds = (1, 5) if rig.quick else (3, 20)
    count = A_SECOND * seconds
    rows: dict[str, list[float]] = {}
    stack = rig.stack()
    try:
        stack.manage("product", "create_topics")
        stack.serve("audit")
        stack.consume("audit")
        stack.start("product", "relay_events")
        for number in range(rounds):
            _note(rows, FLOOR, floor(rig, number, count))
            _note(rows, OURS, ours(rig, stack, number, count))
    finally:
        stack.stop()
    report = Report("latency", "ms", rows)
    for percent, wanted in ((50, 2), (99, 10)):
        mark = f"p{percent}"
        ratio = report.ratio(OURS.format(mark), FLOOR.format(mark))
        report.goals.append(Goal(f"commit to audit row to the floor, {mark}", ratio, wanted, True))
    return report


def ours(rig: Rig, stack: Any, number: int, count: int) -> list[float]:
    """The milliseconds of each change, except for those of the first seconds."""
    prefix = f"L{number}"
    code = CREATE.format(count=count, a_second=A_SECOND, prefix=prefix)
    stack.manage("product", "shell", "--command", code)
    made = dict(_rows(stack.database_urls["product"], COMMITTED["product"], [f"{prefix}-%"]))

    def recorded() -> dict[str, Any] | None:
        found = _rows(stack.database_urls["audit"], COMMITTED["audit"])
        stored = {subject: at for subject, at in found if subject in made}
        assert len(stored) == len([s for s, _ in found if s in made]), "an event is there twice"
        return stored if len(stored) == count else None

    stored = eventually(recorded, seconds=30) or {}
    late = sorted(made, key=int)[A_SECOND * WARM_UP_SECONDS :]
    return [1000 * (stored[subject] - made[subject]).total_seconds() for subject in late]


def floor(rig: Rig, number: int, count: int) -> list[float]:
    """The same rate with kafka-python alone, with a sending and a receiving thread."""
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
    from kafka.admin import NewTopic

    topic = f"latency-{number}"
    admin = KafkaAdminClient(bootstrap_servers=rig.kafka)
    admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    admin.close()
    sender = KafkaProducer(bootstrap_servers=rig.kafka, acks="all")
    sender.send(topic, b"0").get(10)
    consumer = KafkaConsumer(topic, bootstrap_servers=rig.kafka, auto_offset_reset="earliest")
    while not consumer.poll(timeout_ms=1000):
        pass
    times: list[float] = []

    def receive() -> None:
        while len(times) < count:
            for records in consumer.poll(timeout_ms=1000).values():
                now = time.perf_counter()
                times.extend(1000 * (now - float(record.value)) for record in records)

    receiver = threading.Thread(target=receive)
    receiver.start()
    begin = time.perf_counter()
    for place in range(count):
        time.sleep(max(0.0, begin + place / A_SECOND - time.perf_counter()))
        sender.send(topic, f"{time.perf_counter()}".encode())
    receiver.join()
    consumer.close()
    sender.close()
    return times[A_SECOND * WARM_UP_SECONDS :]


def _rows(url: str, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query, values or None).fetchall()


def _note(rows: dict[str, list[float]], name: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    for percent in PERCENTS:
        rows.setdefault(name.format(f"p{percent}"), []).append(cuts[percent - 1])
