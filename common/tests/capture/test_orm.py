"""Each way of Django's ORM to write a published model, and what is published of it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core import serializers
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.signals import post_save, pre_save

from common.tests.capture.histories import told
from common.tests.capture.saved import events
from common.tests.capture.saved.models import (
    Aisle,
    Counted,
    Label,
    Ware,
)
from common.tests.capture.telling import check_all, in_short
from eventbus.capture import suppressed
from eventbus.capture.models import Suppression
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.publishing import WrongDatabase

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]


def test_raw_deletes_are_published(wares: list[Ware]) -> None:
    Ware.objects.filter(sku__in=["S0", "S1"])._raw_delete("default")
    check_all()
    assert Ware.objects.count() == 2


def test_ignored_conflicts(wares: list[Ware]) -> None:
    in_short()
    new = [Ware(sku=sku, name="New") for sku in ("S3", "S4", "S5")]
    Ware.objects.bulk_create(new, ignore_conflicts=True)
    assert [event[:3] for event in in_short()] == [
        ("ware.created", str(Ware.objects.get(sku=sku).pk), 1) for sku in ("S4", "S5")
    ]
    Ware.objects.bulk_create([Ware(sku="S6", name="New")], ignore_conflicts=True)
    Ware.objects.bulk_create([Ware(sku="S6", name="Newer")], ignore_conflicts=True)
    assert len(in_short()) == 1


@pytest.mark.parametrize("model", [Ware, Counted])
def test_updated_conflicts(model: Any) -> None:
    model.objects.bulk_create([model(sku=f"S{n}", name="Old", amount=n) for n in range(3)])
    new = [model(sku=f"S{n}", name="New", amount=9) for n in range(1, 5)]
    written = model.objects.bulk_create(
        new, update_conflicts=True, unique_fields=["sku"], update_fields=["name"]
    )
    check_all()
    assert [one.pk for one in written] == list(
        model.objects.exclude(sku="S0").order_by("sku").values_list("pk", flat=True)
    )
    assert list(model.objects.order_by("sku").values_list("name", "amount")) == [
        ("Old", 0),
        ("New", 1),
        ("New", 2),
        ("New", 9),
        ("New", 9),
    ]


def test_what_conflicts_otherwise_is_refused_as_without_events() -> None:
    Counted.objects.create(pk=7, sku="S1", name="N")
    with pytest.raises(IntegrityError), transaction.atomic():
        Counted.objects.bulk_create(
            [Counted(pk=7, sku="S2", name="N")],
            update_conflicts=True,
            unique_fields=["sku"],
            update_fields=["name"],
        )
    check_all()


def test_what_counts_cannot_be_set_by_conflicts() -> None:
    Counted.objects.create(sku="S1", name="N")
    with pytest.raises(ValueError, match="cannot set version"):
        Counted.objects.bulk_create(
            [Counted(sku="S1", name="N")],
            update_conflicts=True,
            unique_fields=["sku"],
            update_fields=["version"],
        )


def test_signals_that_are_sent_by_hand_publish_nothing_more(wares: list[Ware]) -> None:
    """As in ``StockRecord.allocate()`` of django-oscar."""
    ware = wares[0]
    in_short()
    pre_save.send(sender=Ware, instance=ware, raw=False, using="default", update_fields=None)
    Ware.objects.filter(pk=ware.pk).update(amount=F("amount") + 1)
    ware.amount += 1
    post_save.send(
        sender=Ware, instance=ware, created=False, raw=False, using="default", update_fields=None
    )
    assert in_short() == [("ware.updated", str(ware.pk), 2, {"amount": 0})]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_takes_the_row_back() -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("no")

    post_save.connect(fail, sender=Ware)
    try:
        with pytest.raises(RuntimeError):
            Ware.objects.create(sku="S1", name="N")
    finally:
        post_save.disconnect(fail, sender=Ware)
    assert not Ware.objects.exists()
    assert not OutboxEvent.objects.exists()


def test_a_receiver_that_saves_again(wares: list[Ware]) -> None:
    def again(instance: Ware, **_: Any) -> None:
        if not instance.secret:
            instance.secret, instance.amount = "set", 5
            instance.save()

    ware = wares[0]
    in_short()
    post_save.connect(again, sender=Ware)
    try:
        ware.name = "Other"
        ware.save()
    finally:
        post_save.disconnect(again, sender=Ware)
    assert [event[2:] for event in in_short()] == [(2, {"name": "N0"}), (3, {"amount": 0})]


def test_loaddata(wares: list[Ware]) -> None:
    dumped = serializers.serialize("json", Ware.objects.all())
    Ware.objects.filter(sku="S0").delete()
    Ware.objects.filter(sku="S1").update(name="Other")
    for loaded in serializers.deserialize("json", dumped):
        loaded.save()
    check_all()
    assert len(told(events.Wares)) == 4


@pytest.mark.django_db(transaction=True)
def test_the_async_methods() -> None:
    async def work() -> None:
        ware = await Ware.objects.acreate(sku="S1", name="N")
        ware.name = "Other"
        await ware.asave()
        await Ware.own.abulk_create([Ware(sku="S2", name="N")])
        await Ware.objects.filter(sku="S2").aupdate(amount=F("amount") + 1)
        await Ware.objects.aupdate_or_create(sku="S2", defaults={"name": "Other"})
        await Ware.objects.aget_or_create(sku="S3", defaults={"name": "N"})
        await Ware.objects.abulk_update([ware], ["name"])
        label = await Label.objects.acreate(name="a")
        await ware.labels.aadd(label)
        await ware.adelete()
        await Ware.objects.filter(sku="S2").adelete()

    asyncio.run(work())
    check_all()
    assert [row.sku for row in Ware.objects.all()] == ["S3"]


def test_expressions_and_values_of_other_forms(wares: list[Ware]) -> None:
    ware = wares[0]
    ware.amount = F("amount") + 2
    ware.price = "2.345"
    ware.extra = {"a": [1, (2.0, None)]}
    ware.save()
    check_all()
    ware.refresh_from_db()
    assert ware.amount == 2
    Ware.objects.update(price=Decimal("1.005"), extra={"b": 1})
    check_all()


def test_select_for_update_and_values_before_update(wares: list[Ware]) -> None:
    Ware.objects.select_for_update().filter(sku="S1").update(amount=3)
    Ware.objects.values("sku").filter(sku="S2").update(amount=3)
    Ware.objects.select_related("shelf").filter(sku="S3").update(amount=3)
    assert [row.sku for row in Ware.objects.raw("SELECT * FROM saved_ware WHERE amount = 3")]
    check_all()


def test_what_never_changes_is_guarded(aisle: Aisle) -> None:
    aisle.slug = "b"
    with pytest.raises(ValidationError, match="cannot be changed"):
        aisle.save()
    refusals: list[Callable[[], object]] = [
        lambda: Aisle.objects.update(slug="b"),
        lambda: Aisle.objects.bulk_update([aisle], ["slug"]),
    ]
    for refused in refusals:
        with pytest.raises(ValidationError, match="cannot be changed"), transaction.atomic():
            refused()
    aisle.refresh_from_db()
    aisle.name = "Other"
    aisle.save()
    Aisle.objects.update(name="Third")
    assert Aisle.objects.get().slug == "a"


@pytest.mark.django_db(transaction=True)
def test_what_is_suppressed_and_fails_is_not_counted(wares: list[Ware]) -> None:
    again = Ware(sku=wares[0].sku, name="again", price=1)
    with suppressed(reason="an import"), pytest.raises(IntegrityError):
        Ware.objects.bulk_create([again])
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    "delete", [lambda rows: rows.delete(), lambda rows: rows._raw_delete("default")]
)
def test_a_suppressed_deletion_does_not_set_the_sequence_back(
    delete: Callable[[Any], object],
) -> None:
    row = Counted.objects.create(sku="A", name="x", price=1)
    row.name = "y"
    row.save()
    OutboxEvent.objects.all().delete()  # as after the retention
    with suppressed(reason="a repair"):
        delete(Counted.objects.all())
    Counted.objects.create(pk=row.pk, sku="A", name="z", price=1)
    assert [event.sequence for event in OutboxEvent.objects.all()] == [3]


def test_what_is_suppressed_is_counted(wares: list[Ware]) -> None:
    in_short()
    with suppressed(reason="a migration"):
        Ware.objects.update(amount=1)
        Ware.objects.create(sku="S9", name="N")
        Ware.objects.bulk_create([Ware(sku="S8", name="N")])
        Ware.objects.filter(sku="S8").delete()
    assert in_short() == []
    assert Suppression.objects.get(event="ware").changes == 7


def test_another_database_is_refused(wares: list[Ware], settings: Any) -> None:
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "bus"}
    with pytest.raises(WrongDatabase):
        wares[0].save()
    with pytest.raises(WrongDatabase):
        Ware.objects.update(amount=1)


def test_an_unpublished_column_can_be_set_beside(wares: list[Ware]) -> None:
    in_short()
    assert Ware.objects.update(secret="s") == 4
    assert in_short() == []
    Counted.objects.create(sku="S1", name="N", amount=1)
    assert Ware.objects.update(secret="t", amount=1) == 4
    assert len(in_short()) == 5
    assert set(Ware.objects.values_list("secret", flat=True)) == {"t"}


def test_django_refuses_what_it_refuses_without_events(wares: list[Ware]) -> None:
    for values in ({"nothing": 1}, {"labels": 1}):
        with pytest.raises((FieldDoesNotExist, FieldError), match=r"nothing|labels"):
            Ware.objects.update(**values)
