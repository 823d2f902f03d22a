"""Who brought a change about, as the events of triggers name it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.tests.capture.conftest import (
    data,
    envelopes,
)
from common.tests.capture.test_triggers import item, run
from common.tests.capture.triggered.models import Item
from eventbus.events.context import Context, use

pytestmark = pytest.mark.django_db


def test_the_origin_is_that_of_django() -> None:
    context = Context(
        "c-1", lambda: "user:é'\"\\%s", "e-1", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    )
    with use(context):
        item()
        Item.objects.filter(name__endswith="e%").update(amount=1)
        run("UPDATE triggered_item SET amount = 2 WHERE name LIKE 'K%'")
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE triggered_item SET amount = %s", [(5,), (6,)])
    found = envelopes()
    assert [data(envelope)["amount"] for envelope in found] == [0, 2, 5, 6]
    assert {
        (envelope.correlationid, envelope.actor, envelope.causationid, envelope.traceparent)
        for envelope in found
    } == {("c-1", context.actor(), "e-1", context.traceparent)}


def test_the_origin_changes_within_a_transaction() -> None:
    with use(Context("c-1", lambda: "one")):
        item("A")
    with use(Context("c-2", lambda: "two")):
        item("B")
    assert [envelope.actor for envelope in envelopes()] == ["one", "two"]


def test_a_statement_stays_one_query_and_answers_as_before() -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        kettle = item()
        assert Item.objects.update(amount=1) == 1
        assert Item.objects.filter(pk=kettle.pk).delete()[1]["triggered.Item"] == 1
    writes = [query["sql"] for query in queries if "triggered_item" in query["sql"]]
    assert len([sql for sql in writes if "INSERT INTO" in sql or "UPDATE" in sql]) == 2
    assert kettle.pk
