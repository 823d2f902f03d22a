"""The events of a table describe any history of it: random operations, and an oracle.

For every way to capture changes. The model needs ``sku`` (unique), ``name``, ``price`` (two decimal
places), ``amount`` and ``shelf`` (a nullable foreign key); the oracle works for any publication.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Concat, Floor, Random
from hypothesis import strategies as st

from eventbus.capture import Publication
from eventbus.events.contract import contract_of
from eventbus.outbox.models import OutboxEvent

Told = dict[str, dict[str, Any]]
"""Rows as events describe them, by their subjects: the fields of the data."""


def told(publication: Publication) -> Told:
    """The table as its events describe it, from the first event to the last.

    Asserts on the way that each event fits the one before: sequences begin with 1 and have no gap,
    also over a deletion, and ``previous`` holds the old values of what changed and of nothing else.
    """
    rows: Told = {}
    reached: dict[str, int] = {}
    for event in OutboxEvent.objects.filter(aggregatetype=publication.event).order_by("position"):
        subject, verb = event.aggregateid, event.type.partition(".")[2]
        assert event.sequence == reached.get(subject, 0) + 1, f"{event} has {event.sequence}"
        reached[subject] = event.sequence
        data = _read(event)
        previous = data.pop("previous", None)
        if verb == "created":
            assert subject not in rows, f"{event} again"
        else:
            _check_change(publication, verb, rows[subject], data, previous)
        if verb == "deleted":
            del rows[subject]
        else:
            rows[subject] = data
    return rows


def stored(publication: Publication) -> Told:
    """The table as it is."""
    rows = list(models.QuerySet(publication.model).values(*publication.columns))
    beyond = publication.beyond(rows, "default")
    return {
        publication.subject(row): {
            name: _comparable(value) for name, value in publication.data(row, beyond).items()
        }
        for row in rows
    }


def check(*publications: Publication) -> None:
    """Assert that folding the events gives the tables."""
    for publication in publications:
        assert told(publication) == stored(publication)


def _read(event: OutboxEvent) -> dict[str, Any]:
    envelope = json.loads(event.payload)
    assert (envelope["type"], envelope["subject"]) == (event.type, event.aggregateid)
    assert envelope["sequence"] == event.sequence
    contract: Any = contract_of(event.type)
    found = msgspec.json.decode(json.dumps(envelope["data"]), type=contract)
    data = {name: _comparable(value) for name, value in msgspec.structs.asdict(found).items()}
    if "previous" in data:
        given = envelope["data"]["previous"]
        old = msgspec.structs.asdict(found.previous)
        data["previous"] = {name: _comparable(old[name]) for name in given}
    return data


def _comparable(value: Any) -> Any:
    """A value in the form in which all readers see it."""
    return msgspec.to_builtins(value, builtin_types=(Decimal,))


def _check_change(
    publication: Publication, verb: str, old: Any, new: Any, previous: dict[str, Any] | None
) -> None:
    watched = {field.name for field in publication.watched}
    differing = {name: old[name] for name in watched if new[name] != old[name]}
    if verb == "updated":
        assert differing
        assert previous == differing
    elif verb == "deleted":
        assert not differing
    else:
        assert verb == "snapshot"


class History:
    """What is done to one table. Operations choose rows by numbers, which become their SKUs."""

    def __init__(self, model: type[models.Model], *publications: Publication) -> None:
        self.items: Any = model._default_manager
        self.model: Any = model
        self.shelves = self._shelves()
        self.publications = publications
        self.keys: dict[str, Any] = {}

    def play(self, operations: list[Any]) -> None:
        """Do one operation after the other, and check after each that it was told."""
        for name, *details in operations:
            if name in ("kept", "rolled back"):
                self._in_a_savepoint(details[0], keep=name == "kept")
            else:
                OPERATIONS[name](self, *details)
            check(*self.publications)
            self.keys.update(self.items.values_list("sku", "pk"))

    def _in_a_savepoint(self, operations: list[Any], keep: bool) -> None:
        known = dict(self.keys)
        with transaction.atomic():
            self.play(operations)
            transaction.set_rollback(not keep)
        if not keep:
            self.keys = known  # the database may give them out again
            self.shelves = self._shelves()

    def _shelves(self) -> list[Any]:
        shelf = self.model._meta.get_field("shelf").related_model._default_manager
        return [shelf.get_or_create(slug=slug)[0] for slug in ("a", "b", "c")]

    def new(self, number: int, value: int, **fields: Any) -> Any:
        return self.model(
            **{"sku": f"S{number}", "name": f"N{value}", "price": value, "amount": value, **fields}
        )

    def chosen(self, numbers: set[int]) -> Any:
        return self.items.filter(sku__in=[f"S{number}" for number in numbers])

    def missing(self, numbers: set[int]) -> list[int]:
        known = set(self.chosen(numbers).values_list("sku", flat=True))
        return [number for number in sorted(numbers) if f"S{number}" not in known]


def _save_new(history: History, numbers: set[int], value: int) -> None:
    for number in history.missing(numbers):
        history.new(number, value).save()


def _bulk_create(history: History, numbers: set[int], value: int) -> None:
    history.items.bulk_create([history.new(n, value) for n in history.missing(numbers)])


def _create_again(history: History, numbers: set[int], value: int) -> None:
    """Under the keys that they had."""
    again = [number for number in history.missing(numbers) if f"S{number}" in history.keys]
    new = [history.new(number, value, pk=history.keys[f"S{number}"]) for number in again]
    if value % 2:
        history.items.bulk_create(new)
    else:
        for item in new:
            item.save()


def _ignore_conflicts(history: History, numbers: set[int], value: int) -> None:
    history.items.bulk_create(
        [history.new(number, value) for number in sorted(numbers)], ignore_conflicts=True
    )


def _update_conflicts(history: History, numbers: set[int], value: int) -> None:
    history.items.bulk_create(
        [history.new(number, value, price=Decimal(value) / 2) for number in sorted(numbers)],
        update_conflicts=True,
        unique_fields=["sku"],
        update_fields=["name", "price"],
    )


def _update(history: History, numbers: set[int], value: int) -> None:
    history.chosen(numbers).update(amount=value, name=f"N{value}")


def _update_computed(history: History, numbers: set[int], value: int) -> None:
    history.chosen(numbers).update(
        amount=Floor(Random() * 3), price=F("price") * Decimal(value) / 2
    )


def _update_annotated(history: History, numbers: set[int], value: int) -> None:
    rows = history.chosen(numbers).annotate(double=F("amount") * 2).filter(double__lte=value * 2)
    rows.update(amount=F("double"), name=Concat(F("sku"), F("sku")))


def _update_over_a_relation(history: History, numbers: set[int], value: int) -> None:
    history.chosen(numbers).filter(shelf__slug="a").update(amount=value, shelf=history.shelves[1])


def _bulk_update(history: History, numbers: set[int], value: int) -> None:
    found = list(history.chosen(numbers))
    for item in found:
        item.name, item.amount = f"N{value}", F("amount") + value
    history.items.bulk_update(found, ["name", "amount"])


def _save(history: History, numbers: set[int], value: int) -> None:
    for item in history.chosen(numbers):
        item.amount, item.price = value, Decimal(value) / 3
        item.save()


def _save_some_fields(history: History, numbers: set[int], value: int) -> None:
    for item in history.chosen(numbers):
        item.name, item.amount = f"N{value}", F("amount") + value
        item.save(update_fields=["amount"])


def _update_or_create(history: History, numbers: set[int], value: int) -> None:
    for number in numbers:
        history.items.update_or_create(sku=f"S{number}", defaults={"amount": value})


def _shelve(history: History, numbers: set[int], value: int) -> None:
    related = history.model._meta.get_field("shelf").remote_field.get_accessor_name()
    manager = getattr(history.shelves[value % 3], related)
    if value == 3:
        manager.clear()
    else:
        manager.add(*history.chosen(numbers))


def _delete(history: History, numbers: set[int], value: int) -> None:
    history.chosen(numbers).filter(amount__lte=value).delete()


def _delete_each(history: History, numbers: set[int], value: int) -> None:
    for item in history.chosen(numbers).filter(amount__lte=value):
        item.delete()


def _delete_a_shelf(history: History, numbers: set[int], value: int) -> None:
    shelf = history.shelves[value % 3]
    slug = shelf.slug
    shelf.delete()
    history.shelves[value % 3] = type(shelf)._default_manager.create(slug=slug)


OPERATIONS: dict[str, Callable[[History, set[int], int], None]] = {
    "save new": _save_new,
    "bulk_create": _bulk_create,
    "create again": _create_again,
    "ignore conflicts": _ignore_conflicts,
    "update conflicts": _update_conflicts,
    "update": _update,
    "update computed": _update_computed,
    "update annotated": _update_annotated,
    "update over a relation": _update_over_a_relation,
    "bulk_update": _bulk_update,
    "save": _save,
    "save some fields": _save_some_fields,
    "update_or_create": _update_or_create,
    "shelve": _shelve,
    "delete": _delete,
    "delete each": _delete_each,
    "delete a shelf": _delete_a_shelf,
}


def _raw_update(history: History, numbers: set[int], value: int) -> None:
    _execute(
        history, "UPDATE {table} SET amount = amount + %s, name = sku WHERE sku IN", numbers, value
    )


def _raw_delete(history: History, numbers: set[int], value: int) -> None:
    _execute(history, "DELETE FROM {table} WHERE amount <= %s AND sku IN", numbers, value)


def _execute(history: History, statement: str, numbers: set[int], value: int) -> None:
    if not numbers:
        return
    table = connection.ops.quote_name(history.model._meta.db_table)
    places = ", ".join(["%s"] * len(numbers))
    with connection.cursor() as cursor:
        cursor.execute(
            f"{statement.format(table=table)} ({places})", [value, *(f"S{n}" for n in numbers)]
        )


RAW_OPERATIONS: dict[str, Callable[[History, set[int], int], None]] = {
    "raw update": _raw_update,
    "raw delete": _raw_delete,
}
"""What only triggers notice."""

OPERATIONS.update(RAW_OPERATIONS)


def histories(*, raw: bool) -> st.SearchStrategy[list[Any]]:
    """Lists of operations, some of them in savepoints, for :meth:`History.play`.

    :param raw: whether raw SQL is among them.
    """
    names = sorted(OPERATIONS if raw else OPERATIONS.keys() - RAW_OPERATIONS.keys())
    numbers = st.sets(st.integers(0, 4))
    operation = st.tuples(st.sampled_from(names), numbers, st.integers(0, 3))
    savepoint = st.tuples(
        st.sampled_from(["kept", "rolled back"]), st.lists(operation, min_size=1, max_size=4)
    )
    return st.lists(operation | savepoint, max_size=8)
