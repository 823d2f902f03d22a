"""How fast events get from Kafka into PostgreSQL, compared with alternatives.

A topic is filled, and each contender consumes it in turn, in several rounds: an audit row and an
inbox row for each event.
"""

import psycopg
from rich.progress import track

from benchmarks.report import Goal, Report
from benchmarks.rig import Rig

TABLES = "audit_auditentry, audit_chainhead, eventbus_inbox_inboxmessage"
BATCHES = "worker, batch handlers of the audit service"
EACH = "worker, handler of one event, ORM"
LOOP = "a plain loop: one event, one transaction, one commit"
FASTSTREAM_BATCH = "FastStream, batches of 500, bulk_create"
FASTSTREAM_EACH = "FastStream, one message at a time"
DJANGO_KAFKA = "django-kafka, one message at a time"
CEILING = "confluent-kafka, msgspec and COPY by hand"
CONTENDERS = {
    BATCHES: "worker",
    CEILING: "confluent_copy",
    FASTSTREAM_BATCH: "faststream_batch",
    EACH: "worker_with_one_event_handler",
    LOOP: "plain_loop",
    DJANGO_KAFKA: "django_kafka_each",
    FASTSTREAM_EACH: "faststream_each",
}
IN_BATCHES = {BATCHES, CEILING, FASTSTREAM_BATCH}
OURS = {BATCHES, EACH}


def measure(rig: Rig) -> Report:
    rounds, many, few = (2, 5_000, 500) if rig.quick else (5, 20_000, 2_000)
    rig.prepare("audit")
    rig.fill(many)
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    environment = rig.environment("audit", DJANGO_SETTINGS_MODULE="benchmarks.peers.consumers")
    turns = [name for _ in range(rounds) for name in CONTENDERS]
    for name in track(turns, description="Measuring"):
        # Those that take one event at a time need fewer to reach their rate.
        events = many if name in IN_BATCHES else few
        rig.postgres.execute(f"TRUNCATE {TABLES}", "audit")
        words = [CONTENDERS[name], str(events)]
        output = rig.python("benchmarks.contenders", words, environment)
        rates[name].append(float(output.split()[-1]))
        check(rig, name, events)
    report = Report("consume", "events/s", rates)
    report.goals = [
        Goal("worker to plain loop", report.ratio(BATCHES, LOOP), 60),
        Goal("worker to FastStream's batches", report.ratio(BATCHES, FASTSTREAM_BATCH), 3.5),
        Goal("worker to confluent-kafka with COPY", report.ratio(BATCHES, CEILING), 0.6),
        Goal("handler of one event to FastStream", report.ratio(EACH, FASTSTREAM_EACH), 5),
        Goal("handler of one event to django-kafka", report.ratio(EACH, DJANGO_KAFKA), 5),
    ]
    return report


def check(rig: Rig, name: str, events: int) -> None:
    """Assert that each contender stored its events, and ours each one once and in order."""
    with psycopg.connect(rig.postgres.url("audit")) as connection:
        for table in ("audit_auditentry", "eventbus_inbox_inboxmessage"):
            [stored] = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or [0]
            assert stored >= events, f"{name}: {table} holds {stored} rows instead of {events}"
        if name not in OURS:
            return
        [doubled] = connection.execute(DOUBLED).fetchone() or [1]
        [disordered] = connection.execute(DISORDERED).fetchone() or [1]
        assert (doubled, disordered) == (0, 0), f"{name}: {doubled} twice, {disordered} disordered"


DOUBLED = """
SELECT count(*) - count(DISTINCT event_id) FROM audit_auditentry WHERE topic = 'product.events'
"""
DISORDERED = """
SELECT count(*) FROM (
    SELECT sequence - lag(sequence) OVER (PARTITION BY subject ORDER BY id) AS step
    FROM audit_auditentry WHERE topic = 'product.events'
) AS steps WHERE step != 1
"""
