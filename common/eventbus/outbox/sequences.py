"""Sequence numbers that outlive the rows whose changes they count."""

import json
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Max

from eventbus.database.alias import bus_connection
from eventbus.database.bulk import among
from eventbus.events import Contract
from eventbus.outbox.models import LastSequence, OutboxEvent

REMEMBER = """
INSERT INTO {table} ("aggregatetype", "aggregateid", "sequence") {rows}
ON CONFLICT ("aggregatetype", "aggregateid") DO UPDATE SET "sequence" = excluded."sequence"
WHERE excluded."sequence" > {table}."sequence"
"""
ROWS = {
    "postgresql": """
        SELECT * FROM json_to_recordset(%s)
        AS ended ("aggregatetype" text, "aggregateid" text, "sequence" bigint)
    """,
    "sqlite": """
        SELECT json_extract(value, '$.aggregatetype'), json_extract(value, '$.aggregateid'),
        json_extract(value, '$.sequence') FROM json_each(%s) WHERE true
    """,  # WHERE true: see "Parsing Ambiguity", https://www.sqlite.org/lang_upsert.html
}


def remember(last: Iterable[Contract]) -> None:
    """Store the last sequences of subjects, with one statement in the open transaction.

    :param last: the last events of subjects that no longer exist.
    """
    remember_sequences({(event.aggregate, event.subject): event.sequence for event in last})


def remember_sequences(ended: Mapping[tuple[str, str], int]) -> None:
    """Store where subjects ended, with one statement in the open transaction.

    :param ended: the last sequence by aggregate and subject.
    """
    if not ended:
        return
    columns = ("aggregatetype", "aggregateid", "sequence")
    rows = [dict(zip(columns, (*subject, last), strict=True)) for subject, last in ended.items()]
    connection = bus_connection()
    table = connection.ops.quote_name(LastSequence._meta.db_table)
    statement = REMEMBER.format(table=table, rows=ROWS[connection.vendor])
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(rows)])


def last_sequences(aggregate: str, subjects: Sequence[str]) -> dict[str, int]:
    """The highest sequences known to have been published.

    They are known forever for deleted subjects, and for all others as long as the outbox keeps
    their events (``OUTBOX_RETENTION_DAYS``).

    Call this after inserting the row of a subject or while holding its lock: any concurrent
    deletion has committed by then, and the result stays valid until the end of the transaction
    (with READ COMMITTED, Django's default).

    :param aggregate: the kind of object, such as ``product``.
    :param subjects: their ids; the number of queries does not depend on how many there are.
    :returns: the sequences by subject, without unknown subjects.
    """
    if not subjects:
        return {}
    chosen = among(subjects, bus_connection())
    found: dict[str, int] = {}
    for model in (LastSequence, OutboxEvent):
        rows = model.objects.filter(aggregatetype=aggregate, aggregateid__in=chosen)
        newest = rows.order_by().values("aggregateid").annotate(last=Max("sequence"))
        for subject, last in newest.values_list("aggregateid", "last"):
            if last is not None:
                found[subject] = max(last, found.get(subject, 0))
    return found
