"""Claiming events: the inbox rows that make redelivery a no-op."""

from collections.abc import Collection

from eventbus.database.alias import bus_connection
from eventbus.inbox.models import InboxMessage

Identity = tuple[str, str]
"""Event id and source."""


def claim(consumer: str, identities: Collection[Identity]) -> set[Identity]:
    """Insert the inbox rows of new events in the open transaction.

    If another worker has claimed one without committing yet, this waits for it.

    :param consumer: the consumer group that the inbox belongs to.
    :returns: the new ones.
    """
    if not identities:
        return set()
    if bus_connection().vendor == "postgresql":
        return _claim_in_one_statement(consumer, identities)
    return _claim_what_is_not_there(consumer, identities)


CLAIM = """
INSERT INTO {table} (consumer, event_id, source, received_at)
SELECT %s, event_id, source, now() FROM unnest(%s::text[], %s::text[]) AS new (event_id, source)
ON CONFLICT DO NOTHING
RETURNING event_id, source
"""


def _claim_in_one_statement(consumer: str, identities: Collection[Identity]) -> set[Identity]:
    # Sorted, so that two workers claiming the same events cannot deadlock.
    ids, sources = zip(*sorted(identities), strict=True)
    connection = bus_connection()
    table = connection.ops.quote_name(InboxMessage._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(CLAIM.format(table=table), [consumer, list(ids), list(sources)])
        return set(cursor.fetchall())


def _claim_what_is_not_there(consumer: str, identities: Collection[Identity]) -> set[Identity]:
    ids = [event_id for event_id, _ in identities]
    inbox = InboxMessage.objects.filter(consumer=consumer, event_id__in=ids)
    known = set(inbox.values_list("event_id", "source"))
    fresh = set(identities) - known
    InboxMessage.objects.bulk_create(
        InboxMessage(consumer=consumer, event_id=event_id, source=source)
        for event_id, source in fresh
    )
    return fresh
