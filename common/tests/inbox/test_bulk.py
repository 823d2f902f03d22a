"""Writing many rows in one statement."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from eventbus.inbox import insert
from eventbus.inbox.models import InboxMessage, WorkerState
from eventbus.inbox.taking.claims import claim

pytestmark = pytest.mark.django_db


def test_values_are_stored_as_the_fields_store_them_and_the_others_get_their_defaults() -> None:
    rows = [("group", f'tab\t "quote" \\N {n}', n, [f"topic/{n}", None]) for n in range(3)]
    insert(WorkerState, ("consumer", "host", "pid", "partitions"), rows)
    stored = WorkerState.objects.order_by("pid")
    assert list(stored.values_list("consumer", "host", "pid", "partitions")) == rows
    insert(WorkerState, ("consumer", "host", "pid"), [("group", "other", 4)])
    last = WorkerState.objects.get(host="other")
    assert last.partitions == []
    assert timezone.now() - last.started_at < timedelta(minutes=1)


def test_no_rows_are_accepted() -> None:
    insert(WorkerState, ("consumer", "host", "pid"), [])
    assert not WorkerState.objects.exists()


def test_if_one_row_fails_none_is_written() -> None:
    rows = [("group", "1", "/x"), ("group", "2", "/x"), ("group", "1", "/x")]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(InboxMessage, ("consumer", "event_id", "source"), rows)
    assert not InboxMessage.objects.exists()


def test_an_event_is_claimed_once_for_each_consumer() -> None:
    assert claim("one", {("1", "/x"), ("2", "/x")}) == {("1", "/x"), ("2", "/x")}
    assert claim("one", {("2", "/x"), ("2", "/y"), ("3", "/x")}) == {("2", "/y"), ("3", "/x")}
    assert claim("other", {("1", "/x")}) == {("1", "/x")}
    assert claim("one", set()) == set()
