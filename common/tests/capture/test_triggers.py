"""Triggers publish what changes, whoever writes, and nothing else."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from common.tests.capture.conftest import (
    as_orm_tells,
    as_triggers_told,
    clear,
    data,
    envelopes,
    rows,
    told,
)
from common.tests.capture.triggered import events
from common.tests.capture.triggered.models import Item, Line, Shelf, Tag, Thing
from eventbus.capture import suppressed
from eventbus.capture.models import Suppression
from eventbus.capture.snapshotting.snapshots import publish_batch
from eventbus.events import ContractViolation, EventTooLarge
from eventbus.events.context import CauseUnknown, cause_to_be_said, current
from eventbus.outbox.models import LastSequence, OutboxEvent

pytestmark = pytest.mark.django_db


def item(sku: str = "A", **fields: Any) -> Item:
    return Item.objects.create(sku=sku, name="Kettle", **fields)


def run(sql: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


def test_a_life() -> None:
    kettle = item(price="5")
    kettle.price = 6
    kettle.save()
    key = str(kettle.pk)
    kettle.delete()
    again = Item.objects.create(pk=int(key), sku="A", name="Again")
    again.refresh_from_db()
    assert told("item") == [
        ("created", key, 1, {}),
        ("updated", key, 2, {"price": "5.00"}),
        ("deleted", key, 3, {}),
        ("created", key, 4, {}),
    ]
    assert again.version == 4
    assert data(envelopes("item")[-1])["version"] == 4


def test_a_life_that_the_outbox_counts() -> None:
    line = Line.objects.create(item=item(), quoted="one")
    Line.objects.filter(pk=line.pk).update(quoted="two")
    key = line.pk
    line.delete()
    Line.objects.create(pk=key, item_id=line.item_id)
    Line.objects.filter(pk=key).update(quoted="three")
    assert told("line") == [
        ("created", str(key), 1, {}),
        ("updated", str(key), 2, {"quoted": "one"}),
        ("deleted", str(key), 3, {}),
        ("created", str(key), 4, {}),
        ("updated", str(key), 5, {"quoted": ""}),
    ]


def test_the_envelope_is_that_of_every_event() -> None:
    kettle = item()
    [row] = OutboxEvent.objects.all()
    [envelope] = envelopes()
    assert envelope.id == str(row.id)
    assert row.id.version == 7
    assert envelope.time is not None
    assert abs((row.created_at - envelope.time).total_seconds()) < 0.001
    assert (row.aggregatetype, row.aggregateid, row.type, row.sequence, row.topic) == (
        "item",
        str(kettle.pk),
        "item.created",
        1,
        "triggered.events",
    )
    assert envelope.source == "/bus_tests"
    assert envelope.subject == envelope.partitionkey == str(kettle.pk)
    assert (envelope.specversion, envelope.datacontenttype) == ("1.0", "application/json")
    assert envelope.actor == current().actor()
    assert envelope.correlationid
    assert envelope.causationid is envelope.traceparent is envelope.dataschema is None


def test_the_schema_has_the_version_of_the_contract(settings: Any) -> None:
    settings.EVENTBUS = {**settings.EVENTBUS, "SCHEMA_URL": "https://schemas/"}
    from common.tests.capture.conftest import install

    install()
    Thing.objects.create()
    Thing.objects.update(text="x")
    assert [envelope.dataschema for envelope in envelopes()] == [
        "https://schemas/thing.created/v1/",
        "https://schemas/thing.updated/v2/",
    ]


def test_raw_sql_is_captured() -> None:
    Item.objects.bulk_create(Item(sku=f"S{n}", name="x", amount=n) for n in range(5))
    clear()
    before = rows(events.Items)
    run("DELETE FROM triggered_item WHERE amount = 3")
    run("UPDATE triggered_item SET amount = amount + 1, name = 'y' WHERE amount % 2 = 0")
    expected = as_orm_tells(events.Items, before, rows(events.Items))
    assert len(expected) == 4
    told_now = as_triggers_told("item")
    assert told_now == expected
    assert {envelope.sequence for envelope in envelopes()} == {2}


def test_a_change_of_nothing_watched_publishes_nothing() -> None:
    kettle = item()
    before = rows(events.Items)
    clear()
    Item.objects.update(secret="x")
    kettle.refresh_from_db()
    kettle.save()
    Item.objects.update(amount=F("amount") + 0)
    Item.objects.filter(pk=-1).update(amount=1)
    assert told() == []
    assert rows(events.Items) == before


def test_the_counter_and_the_time_are_not_written_by_hand() -> None:
    kettle = item(version=7)
    before = rows(events.Items)
    assert before[str(kettle.pk)]["version"] == 1
    run("UPDATE triggered_item SET version = 9, changed_at = '2001-01-01 00:00:00+00'")
    assert rows(events.Items) == before
    Item.objects.update(version=5, amount=3)
    kettle.save()  # with its old version, amount and time
    after = rows(events.Items)
    assert [entry[:3] for entry in told("item")] == [
        ("created", str(kettle.pk), 1),
        ("updated", str(kettle.pk), 2),
        ("updated", str(kettle.pk), 3),
    ]
    assert after[str(kettle.pk)]["version"] == 3
    assert after[str(kettle.pk)]["changed_at"] > before[str(kettle.pk)]["changed_at"]


@pytest.mark.parametrize(
    "change",
    [
        lambda: Item.objects.update(id=F("id") + 1000),
        lambda: Thing.objects.update(code="0" * 32),
    ],
    ids=["primary key", "other key"],
)
def test_a_key_does_not_change(change: Any) -> None:
    item()
    Thing.objects.create()
    before = told()
    with pytest.raises(ContractViolation, match="must not change the key"), transaction.atomic():
        change()
    assert told() == before


def test_inserts_that_may_conflict() -> None:
    item("A", amount=1)
    clear()
    fresh = [Item(sku="A", name="Other", amount=2), Item(sku="B", name="New")]
    Item.objects.bulk_create(fresh, ignore_conflicts=True)
    assert [entry[0] for entry in told()] == ["created"]
    clear()
    fresh = [Item(sku="A", name="Kettle", amount=3), Item(sku="C", name="New")]
    Item.objects.bulk_create(
        fresh, update_conflicts=True, unique_fields=["sku"], update_fields=["amount"]
    )
    found = {entry[0]: entry[2:] for entry in told()}
    assert found == {"updated": (2, {"amount": 1}), "created": (1, {})}
    clear()
    Item.objects.update_or_create(sku="A", defaults={"amount": 4})
    Item.objects.get_or_create(sku="D", defaults={"name": "New"})
    changed = Item.objects.get(sku="A")
    changed.amount, changed.name = 5, "Pan"
    Item.objects.bulk_update([changed], ["amount", "name"])
    assert [entry[0] for entry in told()] == ["updated", "created", "updated"]


def test_conflicts_of_one_that_was_deleted_before() -> None:
    """The sequences have a conflict of their own, whatever the statement says of conflicts."""
    line = Line.objects.create(item=item(), quoted="one")
    key, parent = line.pk, line.item_id
    line.delete()
    Line.objects.bulk_create([Line(pk=key, item_id=parent)], ignore_conflicts=True)
    Line.objects.bulk_create([Line(pk=key, item_id=parent)], ignore_conflicts=True)
    assert [entry[2] for entry in told("line")] == [1, 2, 3]


def test_what_goes_with_another_row() -> None:
    kettle = item(shelf=Shelf.objects.create(slug="kitchen"))
    Line.objects.create(item=kettle)
    kettle.tags.add(Tag.objects.create(name="a"), Tag.objects.create(name="b"))
    clear()
    Shelf.objects.get().delete()  # before the item
    kinds = [envelope.type for envelope in envelopes()]
    assert sorted(kinds) == [
        "item.deleted",
        "item_tag.deleted",
        "item_tag.deleted",
        "line.deleted",
    ]
    assert data(envelopes("item")[0])["shelf"] == "kitchen"
    assert not Item.objects.exists()


def test_a_value_over_a_foreign_key_does_not_change() -> None:
    item(shelf=Shelf.objects.create(slug="kitchen"))
    refused = pytest.raises(ContractViolation, match="slug is declared never to change")
    with refused, transaction.atomic():
        run("UPDATE triggered_shelf SET slug = 'bath'")
    assert [entry[0] for entry in told()] == ["created"]


def test_relations_and_deletions_that_skip_signals() -> None:
    kettle = item()
    tags = [Tag.objects.create(name=name) for name in "abc"]
    kettle.tags.set(tags[:2])
    kettle.tags.set(tags[1:])
    assert [entry[0] for entry in told("item_tag")] == ["created", "created", "deleted", "created"]
    Item.tags.through.objects.all()._raw_delete("default")
    assert [entry[0] for entry in told("item_tag")][4:] == ["deleted", "deleted"]


def test_nothing_is_published_on_purpose() -> None:
    with suppressed(reason="import"):
        kettle = item()
        Item.objects.update(amount=1)
        other = item("B")
        other.delete()
        thing = Thing.objects.create()
    assert told() == []
    assert dict(Suppression.objects.values_list("event", "changes")) == {"item": 4, "thing": 1}
    assert set(Suppression.objects.values_list("reason", "actor")) == {
        ("import", current().actor())
    }
    Item.objects.update(amount=2)
    Thing.objects.update(text="x")
    assert told() == [
        ("updated", str(kettle.pk), 1, {"amount": 1}),
        ("updated", str(thing.code), 1, {"text": ""}),
    ]


def test_a_snapshot_counts_as_a_change() -> None:
    kettle, line = item(), Line.objects.create(item=item("B"))
    clear()
    publish_batch(events.Items, Item.objects.filter(pk=kettle.pk), None, 10)
    publish_batch(events.Lines, Line.objects.all(), None, 10)
    Item.objects.filter(pk=kettle.pk).update(amount=1)
    assert told() == [
        ("snapshot", str(kettle.pk), 2, {}),
        ("snapshot", str(line.pk), 2, {}),
        ("updated", str(kettle.pk), 3, {"amount": 0}),
    ]


def test_a_cause_that_nobody_said() -> None:
    kettle = item()
    clear()
    with cause_to_be_said("say which event"):
        Item.objects.update(secret="x")  # publishes nothing
        with pytest.raises(CauseUnknown, match="say which event"), transaction.atomic():
            Item.objects.update(amount=1)
        with suppressed(reason="import"):
            Item.objects.update(amount=2)
    kettle.refresh_from_db()
    assert (told(), kettle.amount, kettle.version) == ([], 2, 1)


def test_an_event_that_kafka_would_not_carry() -> None:
    thing = Thing.objects.create()
    clear()
    with pytest.raises(EventTooLarge), transaction.atomic():
        Thing.objects.update(text="x" * 1_000_000)
    thing.refresh_from_db()
    assert (thing.text, told()) == ("", [])


@pytest.mark.parametrize("ratio", ["NaN", "Infinity"])
def test_what_no_contract_holds(ratio: str) -> None:
    if connection.vendor == "sqlite" and ratio == "NaN":
        return  # SQLite stores NaN as NULL
    with pytest.raises(ContractViolation), transaction.atomic():
        Thing.objects.create(ratio=float(ratio))
    assert told() == []


def test_a_rollback_takes_events_and_sequences_back() -> None:
    thing = Thing.objects.create()
    with transaction.atomic():
        Thing.objects.update(text="x")
        transaction.set_rollback(True)
    Thing.objects.update(text="y")
    assert told() == [
        ("created", str(thing.code), 1, {}),
        ("updated", str(thing.code), 2, {"text": ""}),
    ]
    assert LastSequence.objects.get().sequence == 2


def test_a_suppressed_deletion_does_not_set_the_sequence_back() -> None:
    kettle = item()
    Item.objects.update(amount=7)
    clear()  # as after the retention
    with suppressed(reason="a repair"):
        Item.objects.all().delete()
    Item.objects.create(pk=kettle.pk, sku="A", name="Again")
    assert [envelope.sequence for envelope in envelopes("item")] == [3]
