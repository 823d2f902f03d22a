"""``sequence="auto"``: a row of the outbox's table counts the changes of each subject."""

import json
from collections.abc import Sequence

from eventbus.database.alias import bus_connection
from eventbus.outbox.models import LastSequence

GROW = """
INSERT INTO {table} ("aggregatetype", "aggregateid", "sequence") {subjects}
ON CONFLICT ("aggregatetype", "aggregateid") DO UPDATE SET "sequence" = {table}."sequence" + 1
RETURNING "aggregateid", "sequence"
"""
SUBJECTS = {
    "postgresql": "SELECT %s, unnest(%s::text[]), 1",
    "sqlite": "SELECT %s, value, 1 FROM json_each(%s) WHERE true",
}


def grow(aggregate: str, subjects: Sequence[str]) -> dict[str, int]:
    """Count one more change of each subject, with one statement, in the transaction that is open.

    The row of a subject stays when the subject is deleted, so that one that is created again under
    the same key goes on counting. It is locked until the transaction ends, which orders the
    changes of a subject; many are locked in one order, so that two transactions that each change
    many do not wait for each other.

    :param aggregate: what kind of thing the subjects are, such as ``stock``.
    :param subjects: their keys, each once.
    :returns: by subject, the sequence of the change: 1 for the first.
    """
    connection = bus_connection()
    ordered = sorted(subjects)
    table = connection.ops.quote_name(LastSequence._meta.db_table)
    statement = GROW.format(table=table, subjects=SUBJECTS[connection.vendor])
    listed = ordered if connection.vendor == "postgresql" else json.dumps(ordered)
    with connection.cursor() as cursor:
        cursor.execute(statement, [aggregate, listed])
        return dict(cursor.fetchall())
