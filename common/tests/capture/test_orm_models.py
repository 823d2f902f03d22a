"""Models of every form: managers, proxies, children, keys, and relations of each kind."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.signals import post_delete, pre_delete
from django.test.utils import CaptureQueriesContext

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
from common.tests.capture.telling import check_all, data_of, in_short
from eventbus.outbox.models import OutboxEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]


MANAGERS = {
    "default": Ware.objects.all,
    "with a queryset of its own": Ware.own.all,
    "that filters": Ware.cheap.all,
    "base": Ware._base_manager.all,
    "of the proxy": ProxyOfWare.own.all,
    "a chain": lambda: Ware.own.cheap().order_by("pk"),
}


@pytest.mark.parametrize("manager", MANAGERS.values(), ids=MANAGERS)
def test_each_manager_publishes(wares: list[Ware], manager: Any) -> None:
    assert manager().filter(sku="S1").update(name="Other") == 1
    assert manager().filter(sku="S1").delete()[0] == 1
    check_all()
    assert [event[0] for event in in_short()][4:] == ["ware.updated", "ware.deleted"]


def test_a_queryset_of_the_projects_own_keeps_its_ways(wares: list[Ware]) -> None:
    Ware.own.filter(sku="S1").update(amount=7)
    check_all()
    assert Ware.objects.get(sku="S1").secret == "updated"


def test_a_proxy_is_published_as_its_model() -> None:
    ProxyOfWare(sku="S1", name="N").save()
    ProxyOfWare.objects.create(sku="S2", name="N")
    ProxyOfWare.objects.bulk_create([ProxyOfWare(sku="S3", name="N")])
    assert [event[0] for event in in_short()] == ["ware.created"] * 3
    ProxyOfWare.objects.get(sku="S1").delete()
    assert [event[0] for event in in_short()] == ["ware.deleted"]


def test_a_child_writes_the_table_of_its_parent() -> None:
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


def test_deleting_children_deletes_their_parents() -> None:
    Restaurant.objects.create(name="R")
    Restaurant.objects.create(name="S")
    Restaurant.objects.all().delete()
    check_all()
    assert Place.objects.count() == 0


def test_a_child_that_is_added_to_its_parent() -> None:
    place = Place.objects.create(name="P", city="Delft")
    Restaurant(place_ptr=place, name="P", city="Delft", stars=3).save()
    assert [event[0] for event in in_short()] == ["place.created", "restaurant.created"]


def test_keys_of_other_types() -> None:
    land = Country.objects.create(code="NL", name="Netherlands")
    member = Member.objects.create(name="M", country=land)
    remark = Remark.objects.create(target=member, text="T")
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


def test_the_key_of_the_events_never_changes() -> None:
    Country.objects.create(code="NL", name="Netherlands")
    member = Member.objects.create(name="M")
    member.number = "0" * 32
    with pytest.raises(ValueError, match="cannot be changed"):
        member.save()
    with pytest.raises(ValueError, match="cannot set number"):
        Member.objects.update(number="0" * 32)


def test_set_default_and_set_null_are_published(wares: list[Ware], aisle: Aisle) -> None:
    Country.objects.create(code="NL", name="Netherlands")
    other = Country.objects.create(code="BE", name="Belgium")
    Member.objects.create(name="M", country=other)
    Ware.objects.update(shelf=aisle)
    shelf = aisle.pk
    in_short()
    other.delete()
    aisle.delete()
    changed = [event[3] for event in in_short() if event[0].endswith("updated")]
    assert changed == [{"country": "BE"}, *[{"shelf": shelf}] * 4]
    assert set(Ware.objects.values_list("shelf", flat=True)) == {None}


def test_a_rule_of_the_projects_own_for_deletions_is_published() -> None:
    Country.objects.create(code="NL", name="Netherlands")
    other = Country.objects.create(code="BE", name="Belgium")
    for name in ("M", "N"):
        Member.objects.create(name=name, born_in=other)
    in_short()
    other.delete()
    assert [event[3] for event in in_short()] == [{"born_in": "BE"}] * 2 + [{}]


def test_what_is_written_while_it_is_deleted_is_in_the_sequence(wares: list[Ware]) -> None:
    def write(instance: Ware, **_: Any) -> None:
        Ware.objects.filter(pk=instance.pk).update(amount=F("amount") + 9)

    pre_delete.connect(write, sender=Ware)
    try:
        Ware.objects.filter(sku__in=["S1", "S2"]).delete()
    finally:
        pre_delete.disconnect(write, sender=Ware)
    check_all()
    gone = OutboxEvent.objects.filter(type="ware.deleted")
    assert [(event.sequence, data_of(event)["amount"]) for event in gone] == [(3, 9), (3, 9)]


def test_many_to_many(wares: list[Ware]) -> None:
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
    Ware.labels.through.objects.all()[0].delete()
    ware.labels.through(ware=ware, label=other).save()
    in_short()
    label.delete()
    assert [event[0] for event in in_short()] == ["ware_label.deleted"] * 3
    ware.delete()
    assert sorted(event[0] for event in in_short()) == ["ware.deleted", "ware_label.deleted"]


def test_rows_between_go_although_somebody_listens_to_all_deletions(wares: list[Ware]) -> None:
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


def test_what_is_behind_a_foreign_key_that_goes_as_well_is_published(aisle: Aisle) -> None:
    Counted.objects.bulk_create([Counted(sku=f"S{n}", name="N", shelf=aisle) for n in range(3)])

    def listen(**_: Any) -> None: ...

    post_delete.connect(listen)
    try:
        aisle.delete()
    finally:
        post_delete.disconnect(listen)
    gone = OutboxEvent.objects.filter(type="counted.deleted")
    assert [data_of(event)["shelf"] for event in gone] == ["a"] * 3


def test_generic_relations_go_with_what_they_are_about(wares: list[Ware]) -> None:
    Remark.objects.bulk_create(Remark(target=ware, text="T") for ware in wares for _ in "ab")
    in_short()
    Ware.objects.all().delete()
    gone = OutboxEvent.objects.filter(type="remark.deleted")
    assert {data_of(row)["about"] for row in gone} == {"saved.ware"}
    assert sorted(event[0] for event in in_short()) == ["remark.deleted"] * 8 + ["ware.deleted"] * 4


def test_a_cascade_takes_a_bounded_number_of_queries(aisle: Aisle) -> None:
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
