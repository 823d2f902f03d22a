import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from django.db import connection

from common.tests.capture.saved.models import Aisle, Ware
from eventbus.capture import registry
from eventbus.capture.publication import Publication
from eventbus.capture.trigger import installing
from eventbus.capture.trigger.definition import definition_of
from eventbus.capture.trigger.verifying import trigger_publications
from eventbus.events import Envelope, decode
from eventbus.outbox.models import OutboxEvent


def install() -> None:
    """Create all triggers anew."""
    with connection.cursor() as cursor:
        for publication in trigger_publications():
            for statement in installing.installation(definition_of(publication), connection):
                cursor.execute(statement)


def envelopes(event: str = "") -> list[Envelope]:
    """What is in the outbox, in its order; with a name, the events of that one alone."""
    rows = OutboxEvent.objects.order_by("position")
    if event:
        rows = rows.filter(aggregatetype=event)
    return [decode(row.payload.encode()) for row in rows]


def data(envelope: Envelope) -> Any:
    return json.loads(bytes(envelope.data))


def told(event: str = "") -> list[tuple[Any, ...]]:
    """In short: type without the event's name, subject, sequence and previous values."""
    return [
        (
            envelope.type.partition(".")[2],
            envelope.subject,
            envelope.sequence,
            data(envelope).get("previous", {}),
        )
        for envelope in envelopes(event)
    ]


def clear() -> None:
    OutboxEvent.objects.all().delete()


def as_contract(envelope: Envelope) -> Any:
    """The data, read as a consumer reads it."""
    from eventbus.events.contract import contract_of

    return msgspec.json.decode(bytes(envelope.data), type=contract_of(envelope.type))


def rows(publication: Publication) -> dict[str, dict[str, Any]]:
    """The table as it is, by subject."""
    model = publication.model._base_manager
    return {publication.subject(row): row for row in model.values(*publication.columns)}


def as_orm_tells(publication: Publication, before: Any, after: Any) -> dict[tuple[str, str], Any]:
    """The events that the difference between two states of a table asks for."""
    beyond = publication.beyond([*before.values(), *after.values()], "default")
    found: dict[tuple[str, str], Any] = {}
    for subject in before.keys() | after.keys():
        old, new = before.get(subject), after.get(subject)
        if old is None:
            found["created", subject] = publication.created(new, beyond)
        elif new is None:
            found["deleted", subject] = publication.deleted(old, beyond)
        elif publication.is_changed(old, new):
            found["updated", subject] = publication.updated(old, new, beyond)
    return found


def as_triggers_told(event: str) -> dict[tuple[str, str], Any]:
    """The events in the outbox, each once."""
    found = {
        (envelope.type.partition(".")[2], envelope.subject or ""): as_contract(envelope)
        for envelope in envelopes(event)
    }
    assert len(found) == len(envelopes(event))
    return found


@pytest.fixture
def own_publications(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test declares is there for its time alone, and nothing else is."""
    monkeypatch.setattr(registry, "_publications", {})


@pytest.fixture
def own_contracts() -> Iterator[None]:
    """The contract classes that the test defines are gone after it."""
    from eventbus.events import contract

    known = dict(contract._contracts)
    yield
    contract._contracts.clear()
    contract._contracts.update(known)


SAVED = "common.tests.capture.saved.contracts"
SAVED_EVENTS = (
    "counted",
    "country",
    "member",
    "place",
    "remark",
    "restaurant",
    "ware",
    "ware_label",
)


@pytest.fixture
def saved_contracts(settings: Any) -> None:
    """The contracts of what Django's ORM captures in these tests."""
    modules = [f"{SAVED}.{event}" for event in SAVED_EVENTS]
    settings.EVENTBUS = {**settings.EVENTBUS, "PUBLISHES": modules}


@pytest.fixture
def wares() -> list[Ware]:
    return Ware.objects.bulk_create(Ware(sku=f"S{n}", name=f"N{n}", price=n) for n in range(4))


@pytest.fixture
def aisle() -> Aisle:
    return Aisle.objects.create(slug="a")
