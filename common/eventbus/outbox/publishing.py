"""Publishing: writes a row per event in the caller's transaction, and nothing else."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import uuid_utils.compat
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.conf import bus_settings
from eventbus.database.alias import bus_connection
from eventbus.database.bulk import insert
from eventbus.database.waking import wake_after_commit
from eventbus.events import Contract, ContractViolation, Envelope, encode
from eventbus.events.context import current
from eventbus.outbox.published import is_published

CHANNEL = "outbox"


class NoTransaction(RuntimeError):
    """publish() was called outside a transaction, so change and event would not be atomic."""


class WrongDatabase(RuntimeError):
    """The change is in another database than the outbox, so either could commit alone."""


class NotPublished(RuntimeError):
    """publish() was called with an event that this project does not declare in ``PUBLISHES``."""


def publish(event: Contract, *, using: str | None = None) -> uuid.UUID:
    """Publish an event as part of the open transaction.

    It is relayed to Kafka after the commit; a rollback discards it.

    :param using: alias of the database that the change was written to, as signals and querysets
        know it; if omitted, the caller guarantees that it is ``EVENTBUS["DATABASE_ALIAS"]``.
    :returns: the id of the event, a UUIDv7.
    :raises WrongDatabase: if ``using`` is not the outbox's database.
    :raises NoTransaction: if no transaction is open in the outbox's database.
    :raises NotPublished: if ``EVENTBUS["PUBLISHES"]`` does not list the event's module.
    :raises ContractViolation: if a field does not match the contract; the message names it.
    :raises EventTooLarge: if the encoded event is larger than Kafka would accept.
    """
    [event_id] = publish_all([event], using=using)
    return event_id


def publish_all(
    events: Iterable[Contract],
    *,
    using: str | None = None,
    sequences: Sequence[int] | None = None,
    group: str | None = None,
) -> list[uuid.UUID]:
    """Publish many events in order, with one statement.

    :param using: as for :func:`publish`.
    :param sequences: the place of each event in the life of its subject, where the caller counts
        and remembers it; left out, what each event says itself.
    :param group: the consumer group that they are for; left out, they are for all.
    :returns: their ids, UUIDv7.
    :raises: as :func:`publish`; none of the events is published then.
    """
    # Imported here because models need the app registry, and this package does not.
    from eventbus.outbox.models import OutboxEvent
    from eventbus.outbox.sequences import remember

    connection = _connection_of_the_change(using)
    source = origin(group)
    events = list(events)
    for contract in {type(event) for event in events}:
        _refuse_what_others_publish(contract)
    places = sequences if sequences is not None else [event.sequence for event in events]
    rows = [_row(event, place, source) for event, place in zip(events, places, strict=True)]
    if not rows:
        return []
    insert(OutboxEvent, COLUMNS, rows, using=connection.alias)
    if sequences is None:
        remember(event for event in events if event.is_last)
    wake_after_commit(connection, CHANNEL)
    return [row[0] for row in rows]


def _connection_of_the_change(using: str | None) -> BaseDatabaseWrapper:
    """The outbox's connection, provided that the change is in its open transaction."""
    connection = bus_connection()
    alias = connection.alias
    if using not in (None, alias):
        raise WrongDatabase(
            f"The change is in the database {using!r} but the outbox is in {alias!r} "
            "(EVENTBUS['DATABASE_ALIAS']), so one could commit without the other"
        )
    if not connection.in_atomic_block:
        raise NoTransaction(
            "outbox.publish() requires a transaction around change and event: "
            f"transaction.atomic(using={alias!r})"
        )
    return connection


COLUMNS = (
    "id",
    "aggregatetype",
    "aggregateid",
    "type",
    "sequence",
    "topic",
    "payload",
    "created_at",
)

OutboxValues = tuple[uuid.UUID, str, str, str, int, str, str, datetime]


def _row(event: Contract, sequence: int, source: dict[str, Any]) -> OutboxValues:
    event_id = uuid_utils.compat.uuid7()
    subject = event.subject
    envelope = Envelope(
        **source,
        id=str(event_id),
        type=event.event_type,
        subject=subject,
        dataschema=schema_address(event.event_type, event.major_version),
        partitionkey=subject,
        sequence=sequence,
        data=msgspec.Raw(_checked_json(event)),
    )
    about = (event.aggregate, subject, event.event_type, sequence, event.topic)
    return (event_id, *about, encode(envelope).decode(), source["time"])


def _refuse_what_others_publish(contract: type[Contract]) -> None:
    if not is_published(contract):
        raise NotPublished(
            f"This project does not publish {contract.event_type}: "
            f"add {contract.__module__!r} to EVENTBUS['PUBLISHES']"
        )


def schema_address(event_type: str, major_version: int) -> str | None:
    """The URL of the JSON Schema of an event's data, if ``SCHEMA_URL`` is set."""
    base = bus_settings().schema_url
    return f"{base}{event_type}/v{major_version}/" if base else None


def origin(group: str | None = None) -> dict[str, Any]:
    """The attributes shared by events that are published together."""
    context = current()
    return {
        "specversion": "1.0",
        "source": bus_settings().source,
        "time": datetime.now(UTC),
        "datacontenttype": "application/json",
        "correlationid": context.correlation_id,
        "causationid": context.causation_id,
        "actor": context.actor(),
        "traceparent": context.traceparent,
        "consumergroup": group,
    }


def _checked_json(event: Contract) -> bytes:
    """The data as JSON, validated by decoding it: a Struct is only checked when decoded."""
    data = msgspec.json.encode(event)
    try:
        msgspec.json.decode(data, type=type(event))
    except msgspec.ValidationError as error:
        raise ContractViolation(f"{event.event_type}: {error}") from error
    return data
