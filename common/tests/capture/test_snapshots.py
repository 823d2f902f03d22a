"""Snapshots of published models, whatever their keys are and whoever captures their changes."""

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.tests.capture.histories import check, told
from common.tests.capture.saved import events
from common.tests.capture.saved.models import Aisle, Counted, Country, Member, Remark, Ware
from eventbus.capture import Publication
from eventbus.capture.snapshotting.snapshots import publish_snapshots
from eventbus.outbox.models import OutboxEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("saved_contracts")]


def rows_of(publication: Publication, number: int) -> None:
    """Rows, some of which have changed."""
    shelf, _ = Aisle.objects.get_or_create(slug="a")
    Country.objects.get_or_create(code="NL", name="Netherlands")
    made: dict[Any, Any] = {
        Ware: lambda n: Ware(sku=f"S{n}", name="N"),
        Counted: lambda n: Counted(sku=f"S{n}", name="N", shelf=shelf),
        Country: lambda n: Country(code=f"{n:02}", name="N"),
        Member: lambda n: Member(name="N", number=uuid.UUID(int=number - n)),
        Remark: lambda n: Remark(target=shelf, text="T"),
    }
    rows: Any = publication.model._default_manager
    rows.bulk_create(map(made[publication.model], range(number)))
    name = "text" if publication.model is Remark else "name"
    rows.filter(pk__in=list(rows.values_list("pk", flat=True))[::2]).update(**{name: "Other"})


PUBLICATIONS = [
    events.Wares,
    events.Counteds,
    events.Countries,
    events.Members,
    events.Remarks,
]
by_event = pytest.mark.parametrize("publication", PUBLICATIONS, ids=lambda one: str(one.event))


@by_event
def test_each_row_once_and_above_all_that_was_published(publication: Publication) -> None:
    rows_of(publication, 5)
    rows: Any = publication.model._default_manager
    before = told(publication)
    batches = list(publish_snapshots(publication, rows.all(), None, 2))
    assert sum(number for number, _ in batches) == rows.count()
    snapshots = OutboxEvent.objects.filter(type=f"{publication.event}.snapshot")
    assert {event.aggregateid for event in snapshots} == before.keys()
    assert snapshots.count() == rows.count()
    check(publication)


@by_event
def test_it_can_go_on_behind_a_key_of_any_type(publication: Publication) -> None:
    rows_of(publication, 5)
    rows: Any = publication.model._default_manager
    _, last = next(publish_snapshots(publication, rows.all(), None, 2))
    for _ in publish_snapshots(publication, rows.all(), last, 2):
        pass
    snapshots = OutboxEvent.objects.filter(type=f"{publication.event}.snapshot")
    subjects = snapshots.order_by("position").values_list("aggregateid", flat=True)
    keys = rows.order_by("pk").values(*publication.columns)
    assert list(subjects) == [publication.subject(row) for row in keys]


@by_event
def test_the_number_of_queries_does_not_grow_with_the_batch(publication: Publication) -> None:
    rows_of(publication, 40)

    def queries(size: int) -> int:
        rows: Any = publication.model._default_manager
        with CaptureQueriesContext(connection) as captured:
            next(publish_snapshots(publication, rows.all(), None, size))
        return len(captured)

    assert queries(2) == queries(40) <= 9
