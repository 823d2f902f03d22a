"""What a trigger writes of a value is what ``eventbus.outbox.publish`` would write of it."""

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.tests.capture import conftest
from common.tests.capture.triggered import events
from common.tests.capture.triggered.models import Item, Shelf, Thing

pytestmark = pytest.mark.django_db

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
moments = st.datetimes(
    dt.datetime(1, 1, 2),  # noqa: DTZ001  hypothesis adds the zone
    dt.datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(dt.UTC),
)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def maybe(strategy: Any) -> Any:
    return st.none() | strategy


things = st.fixed_dictionaries(
    {
        "text": texts,
        "count": maybe(st.integers(0, 2**31 - 1)),
        "flag": st.booleans(),
        "price": maybe(st.decimals(-(10**8), 10**8, places=3)),
        "ratio": maybe(st.floats(allow_nan=False, allow_infinity=False, width=64)),
        "day": maybe(st.dates()),
        "moment": maybe(moments),
        "hour": maybe(st.times()),
        "length": maybe(st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6))),
        "other": maybe(st.uuids()),
        "extra": maybe(jsons),
        "raw": maybe(st.binary(max_size=200)),
        "address": maybe(st.ip_addresses().map(str)),
        "picture": st.sampled_from(["", "a/b.png", "ü'\"\\.png"]),
        "about": st.booleans(),
        "shelf": st.integers(0, 2),
    }
)


def stored(fields: Any) -> Any:
    """The fields with rows in place of numbers."""
    shelves = [None, *Shelf.objects.order_by("id")]
    about = ContentType.objects.get_for_model(Item) if fields["about"] else None
    return {**fields, "about": about, "shelf": shelves[fields["shelf"]]}


@given(first=things, second=things)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_each_kind(first: Any, second: Any) -> None:
    Shelf.objects.all().delete()
    Shelf.objects.bulk_create([Shelf(slug="one"), Shelf(slug="two")])
    Thing.objects.all().delete()
    conftest.clear()
    states: list[Any] = [{}]
    thing = Thing.objects.create(code=uuid.uuid4(), **stored(first))
    states.append(conftest.rows(events.Things))
    Thing.objects.filter(pk=thing.pk).update(**stored(second))
    states.append(conftest.rows(events.Things))
    Thing.objects.filter(pk=thing.pk).delete()
    states.append({})
    expected: dict[Any, Any] = {}
    for before, after in pairwise(states):
        expected |= conftest.as_orm_tells(events.Things, before, after)
    assert conftest.as_triggers_told("thing") == expected


@pytest.mark.only_on("postgresql")  # which has arrays
@pytest.mark.parametrize(
    ("numbers", "names", "prices"),
    [
        ([], None, []),
        (
            [1, -2],
            ["a", 'b"\\'],
            [[Decimal("1.00"), Decimal("2.50")], [Decimal("0.10"), Decimal(3)]],
        ),
    ],
)
def test_arrays(numbers: Any, names: Any, prices: Any) -> None:
    label = "triggered.Grid"  # mypy looks for it where there are no arrays
    grid_model: Any = apps.get_model(label)
    before: dict[Any, Any] = {}
    grid = grid_model.objects.create(numbers=numbers, names=names, prices=prices)
    after = conftest.rows(events.Grids)
    assert conftest.as_triggers_told("grid") == conftest.as_orm_tells(events.Grids, before, after)
    conftest.clear()
    grid_model.objects.filter(pk=grid.pk).update(numbers=[7], names=["x"], prices=[])
    changed = conftest.as_orm_tells(events.Grids, after, conftest.rows(events.Grids))
    assert conftest.as_triggers_told("grid") == changed


@pytest.mark.parametrize("session", ["SET datestyle = 'SQL, DMY'", "SET extra_float_digits = -5"])
def test_settings_of_the_session_do_not_matter(session: str) -> None:
    if connection.vendor != "postgresql":
        return  # settings of PostgreSQL's sessions
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'Asia/Tokyo'; SET intervalstyle = 'sql_standard'")
        cursor.execute(session)
        moment = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
        Thing.objects.create(
            day=dt.date(2026, 1, 2), moment=moment, length=dt.timedelta(days=-3), ratio=0.1 + 0.2
        )
        cursor.execute("RESET ALL; SET timezone = 'UTC'")
    expected = conftest.as_orm_tells(events.Things, {}, conftest.rows(events.Things))
    assert conftest.as_triggers_told("thing") == expected


def test_a_block_that_opens_the_connection_leaves_no_wrapper_of_its_own_behind() -> None:
    """``execute_wrapper()`` removes the last wrapper when it ends, whichever that is."""

    def own(execute: Callable[..., Any], *arguments: Any) -> Any:
        return execute(*arguments)

    with closing(connection.copy()) as fresh:
        for _ in range(2):
            with fresh.execute_wrapper(own), fresh.cursor() as cursor:
                cursor.execute("SELECT 1")
            assert own not in fresh.execute_wrappers
            assert len(fresh.execute_wrappers) == 1
            fresh.close()
