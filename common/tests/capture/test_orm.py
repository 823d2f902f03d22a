"""Each way of Django's ORM to write a published model, and what is published of it."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core import serializers
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.signals import post_delete, post_save, pre_save
from django.test.utils import CaptureQueriesContext

from common.tests.capture.histories import check, told
from common.tests.capture.saved import events
from common.tests.capture.saved.models import (
    Aisle,
    Counted,
    Country,
    Label,
    Member,
    Place,
    ProxyOfWare,
    Remark,
    Restaurant,
    Ware,
)
from eventbus.capture import suppressed
from eventbus.capture.models import Suppression
from eventbus.capture.registry import publications
from eventbus.outbox.models import OutboxEvent
from eventbus.outbox.publishing import WrongDatabase

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]


def in_short() -> list[tuple[Any, ...]]:
    """Type, subject, sequence and previous values of what was published since the last call."""
    rows = list(OutboxEvent.objects.order_by("position"))
    OutboxEvent.objects.all().delete()
    return [
        (row.type, row.aggregateid, row.sequence, _data(row).get("previous", {})) for row in rows
    ]


def _data(row: OutboxEvent) -> Any:
    return json.loads(row.payload)["data"]


def check_all() -> None:
    check(*(one for one in publications() if one.capture == "orm"))


@pytest.fixture
def wares() -> list[Ware]:
    return Ware.objects.bulk_create(Ware(sku=f"S{n}", name=f"N{n}", price=n) for n in range(4))


@pytest.fixture
def aisle() -> Aisle:
    return Aisle.objects.create(slug="a")


MANAGERS = {
    "default": Ware.objects.all,
    "with a queryset of its own": Ware.own.all,
    "that filters": Ware.cheap.all,
    "base": Ware._base_manager.all,
    "of the proxy": ProxyOfWare.own.all,
    "a chain": lambda: Ware.own.cheap().order_by("pk"),
}


@pytest.mark.parametrize("manager", MANAGERS.values(), ids=MANAGERS)
def test_each_manager_publishes(wares, manager):
    assert manager().filter(sku="S1").update(name="Other") == 1
    assert manager().filter(sku="S1").delete()[0] == 1
    check_all()
    assert [event[0] for event in in_short()][4:] == ["ware.updated", "ware.deleted"]


def test_a_queryset_of_the_projects_own_keeps_its_ways(wares):
    Ware.own.filter(sku="S1").update(amount=7)
    check_all()
    assert Ware.objects.get(sku="S1").secret == "updated"


def test_a_proxy_is_published_as_its_model():
    ProxyOfWare(sku="S1", name="N").save()
    ProxyOfWare.objects.create(sku="S2", name="N")
    ProxyOfWare.objects.bulk_create([ProxyOfWare(sku="S3", name="N")])
    assert [event[0] for event in in_short()] == ["ware.created"] * 3
    ProxyOfWare.objects.get(sku="S1").delete()
    assert [event[0] for event in in_short()] == ["ware.deleted"]


def test_a_child_writes_the_table_of_its_parent():
    restaurant = Restaurant.objects.create(name="R", city="Delft", stars=1)
    key = str(restaurant.pk)
    assert in_short() == [("place.created", key, 1, {}), ("restaurant.created", key, 1, {})]
    restaurant.city = "Gouda"
    restaurant.save()
    assert in_short() == [("place.updated", key, 2, {"city": "Delft"})]
    Restaurant.objects.update(stars=F("stars") + 1, city="Leiden")
    assert in_short() == [
        ("restaurant.updated", key, 2, {"stars": 1}),
        ("place.updated", key, 3, {"city": "Gouda"}),
    ]
    Place.objects.update(name="P")
    Restaurant.objects.bulk_update([Restaurant(pk=restaurant.pk, name="Q", stars=4)], ["name"])
    assert [event[3] for event in in_short()] == [{"name": "R"}, {"name": "P"}]
    Place.objects.get().delete()
    assert sorted(in_short()) == [
        ("place.deleted", key, 6, {}),
        ("restaurant.deleted", key, 3, {}),
    ]


def test_deleting_children_deletes_their_parents():
    Restaurant.objects.create(name="R")
    Restaurant.objects.create(name="S")
    Restaurant.objects.all().delete()
    check_all()
    assert Place.objects.count() == 0


def test_a_child_that_is_added_to_its_parent():
    place = Place.objects.create(name="P", city="Delft")
    Restaurant(place_ptr=place, name="P", city="Delft", stars=3).save()
    assert [event[0] for event in in_short()] == ["place.created", "restaurant.created"]


def test_keys_of_other_types():
    land = Country.objects.create(code="NL", name="Netherlands")
    member = Member.objects.create(name="M", country=land)
    remark = Remark.objects.create(target=land if land.pk == 1 else member, text="T")
    assert [event[:3] for event in in_short()] == [
        ("country.created", "NL", 1),
        ("member.created", str(member.number), 1),
        ("remark.created", str(remark.pk), 1),
    ]
    Country.objects.update(name="Holland")
    Member.objects.update(name="N")
    Remark.objects.filter(pk__in=[remark.pk]).update(text="U")
    assert [event[1] for event in in_short()] == ["NL", str(member.number), str(remark.pk)]
    Remark.objects.bulk_create([Remark(target=member, text="V"), Remark(target=member, text="W")])
    Remark.objects.all().delete()
    Country(code="BE", name="Belgium").save()
    Country.objects.bulk_create([Country(code="FR", name="France")])
    assert len(in_short()) == 7


def test_the_key_of_the_events_never_changes():
    Country.objects.create(code="NL", name="Netherlands")
    member = Member.objects.create(name="M")
    member.number = "0" * 32
    with pytest.raises(ValueError, match="cannot be changed"):
        member.save()
    with pytest.raises(ValueError, match="cannot set number"):
        Member.objects.update(number="0" * 32)


def test_set_default_and_set_null_are_published(wares, aisle):
    Country.objects.create(code="NL", name="Netherlands")
    other = Country.objects.create(code="BE", name="Belgium")
    Member.objects.create(name="M", country=other)
    Ware.objects.update(shelf=aisle)
    in_short()
    other.delete()
    aisle.delete()
    changed = [event[3] for event in in_short() if event[0].endswith("updated")]
    assert changed == [{"country": "BE"}, *[{"shelf": aisle.pk or 1}] * 4][: len(changed)]
    assert len(changed) == 5
    assert set(Ware.objects.values_list("shelf", flat=True)) == {None}


def test_many_to_many(wares):
    ware, label, other = wares[0], *Label.objects.bulk_create([Label(name="a"), Label(name="b")])
    in_short()
    ware.labels.add(label)
    ware.labels.add(label, other)
    assert [event[0] for event in in_short()] == ["ware_label.created"] * 2
    ware.labels.remove(label)
    ware.labels.set([label])
    label.ware_set.clear()
    assert [event[0].partition(".")[2] for event in in_short()] == [
        "deleted",
        "deleted",
        "created",
        "deleted",
    ]
    label.ware_set.add(*wares)
    Ware.labels.through.objects.first().delete()
    ware.labels.through(ware=ware, label=other).save()
    in_short()
    label.delete()
    assert [event[0] for event in in_short()] == ["ware_label.deleted"] * 3
    ware.delete()
    assert sorted(event[0] for event in in_short()) == ["ware.deleted", "ware_label.deleted"]


def test_rows_between_go_although_somebody_listens_to_all_deletions(wares):
    """Then Django deletes them one by one, and sends no signals for them."""
    label = Label.objects.create(name="a")
    label.ware_set.add(*wares)
    in_short()

    def listen(**_: Any) -> None: ...

    post_delete.connect(listen)
    try:
        label.delete()
    finally:
        post_delete.disconnect(listen)
    assert [event[0] for event in in_short()] == ["ware_label.deleted"] * 4


def test_generic_relations_go_with_what_they_are_about(wares):
    Remark.objects.bulk_create(Remark(target=ware, text="T") for ware in wares for _ in "ab")
    in_short()
    Ware.objects.all().delete()
    assert sorted(event[0] for event in in_short()) == ["remark.deleted"] * 8 + ["ware.deleted"] * 4
    [data] = {_data(row)["about"] for row in OutboxEvent.objects.all()} or {"saved.ware"}
    assert data == "saved.ware"


def test_a_cascade_takes_a_bounded_number_of_queries(aisle):
    def queries(number: int) -> int:
        shelf = Aisle.objects.create(slug=f"s{number}")
        Counted.objects.bulk_create(
            Counted(sku=f"{number}.{n}", name="N", shelf=shelf) for n in range(number)
        )
        with CaptureQueriesContext(connection) as captured:
            shelf.delete()
        return len(captured)

    assert queries(2) == queries(80) <= 14
    check_all()


def test_raw_deletes_are_published(wares):
    Ware.objects.filter(sku__in=["S0", "S1"])._raw_delete("default")
    check_all()
    assert Ware.objects.count() == 2


def test_ignored_conflicts(wares):
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
def test_updated_conflicts(model):
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


def test_what_conflicts_otherwise_is_refused_as_without_events():
    Counted.objects.create(pk=7, sku="S1", name="N")
    with pytest.raises(IntegrityError), transaction.atomic():
        Counted.objects.bulk_create(
            [Counted(pk=7, sku="S2", name="N")],
            update_conflicts=True,
            unique_fields=["sku"],
            update_fields=["name"],
        )
    check_all()


def test_what_counts_cannot_be_set_by_conflicts():
    Counted.objects.create(sku="S1", name="N")
    with pytest.raises(ValueError, match="cannot set version"):
        Counted.objects.bulk_create(
            [Counted(sku="S1", name="N")],
            update_conflicts=True,
            unique_fields=["sku"],
            update_fields=["version"],
        )


def test_signals_that_are_sent_by_hand_publish_nothing_more(wares):
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
def test_a_receiver_that_fails_takes_the_row_back():
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


def test_a_receiver_that_saves_again(wares):
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


def test_loaddata(wares):
    dumped = serializers.serialize("json", Ware.objects.all())
    Ware.objects.filter(sku="S0").delete()
    Ware.objects.filter(sku="S1").update(name="Other")
    for loaded in serializers.deserialize("json", dumped):
        loaded.save()
    check_all()
    assert len(told(events.Wares)) == 4


@pytest.mark.django_db(transaction=True)
def test_the_async_methods():
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


def test_expressions_and_values_of_other_forms(wares):
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


def test_select_for_update_and_values_before_update(wares):
    Ware.objects.select_for_update().filter(sku="S1").update(amount=3)
    Ware.objects.values("sku").filter(sku="S2").update(amount=3)
    Ware.objects.select_related("shelf").filter(sku="S3").update(amount=3)
    assert [row.sku for row in Ware.objects.raw("SELECT * FROM saved_ware WHERE amount = 3")]
    check_all()


def test_what_never_changes_is_guarded(aisle):
    aisle.slug = "b"
    with pytest.raises(ValidationError, match="cannot be changed"):
        aisle.save()
    for refused in (
        lambda: Aisle.objects.update(slug="b"),
        lambda: Aisle.objects.bulk_update([aisle], ["slug"]),
    ):
        with pytest.raises(ValidationError, match="cannot be changed"), transaction.atomic():
            refused()
    aisle.refresh_from_db()
    aisle.name = "Other"
    aisle.save()
    Aisle.objects.update(name="Third")
    assert Aisle.objects.get().slug == "a"


def test_what_is_suppressed_is_counted(wares):
    in_short()
    with suppressed(reason="a migration"):
        Ware.objects.update(amount=1)
        Ware.objects.create(sku="S9", name="N")
        Ware.objects.bulk_create([Ware(sku="S8", name="N")])
        Ware.objects.filter(sku="S8").delete()
    assert in_short() == []
    assert Suppression.objects.get(event="ware").changes == 7


def test_another_database_is_refused(wares, settings):
    settings.EVENTBUS = {**settings.EVENTBUS, "DATABASE_ALIAS": "bus"}
    with pytest.raises(WrongDatabase):
        wares[0].save()
    with pytest.raises(WrongDatabase):
        Ware.objects.update(amount=1)


def test_an_unpublished_column_can_be_set_beside(wares):
    in_short()
    assert Ware.objects.update(secret="s") == 4
    assert in_short() == []
    Counted.objects.create(sku="S1", name="N", amount=1)
    assert Ware.objects.update(secret="t", amount=1) == 4
    assert len(in_short()) == 5
    assert set(Ware.objects.values_list("secret", flat=True)) == {"t"}


def test_django_refuses_what_it_refuses_without_events(wares):
    for values in ({"nothing": 1}, {"labels": 1}):
        with pytest.raises((FieldDoesNotExist, FieldError), match=r"nothing|labels"):
            Ware.objects.update(**values)
