"""What a reader of the events knows, held against the tables after each page of a monolith."""

import json
import re
import sys
from decimal import Decimal
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import setup_test_environment

from eventbus.capture.fields import PublishedField
from eventbus.capture.kinds import CONTENT_TYPE
from eventbus.capture.registry import publications
from eventbus.outbox.models import OutboxEvent

State = dict[str, dict[str, Any]]


def tables() -> dict[str, State]:
    """What is in the tables, read by SQL: each event's subjects with their published columns."""
    found = {}
    for publication in publications():
        names = ", ".join(map(_selected, publication.fields))
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT {names} FROM "{publication.model._meta.db_table}"')
            rows = cursor.fetchall()
        fields = [field.name for field in publication.fields]
        found[publication.event] = {
            str(row[0]): plain(dict(zip(fields, row, strict=True))) for row in rows
        }
    return found


def _selected(field: PublishedField) -> str:
    column = f'"{field.column.column}"'
    if field.kind is CONTENT_TYPE:
        return f"(SELECT app_label || '.' || model FROM django_content_type WHERE id = {column})"
    return column


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """Values as SQLite and JSON both have them."""
    return {name: _plain(value) for name, value in data.items()}


NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Decimal | float | int | str):
        return value
    text = str(value)
    return f"{Decimal(text).normalize():f}" if NUMBER.fullmatch(text) else text


class Books:
    """What a reader knows who has seen the events alone.

    :param known: what there was before the first of them.
    """

    def __init__(self, known: dict[str, State]) -> None:
        self.known = known
        self.sequences: dict[tuple[str, str], int] = {}
        self.read = 0

    def follow(self) -> set[tuple[str, str]]:
        """Read the new events, each of which must be the next one of its subject.

        :returns: the subjects that they are about.
        """
        about = set()
        for row in OutboxEvent.objects.filter(position__gt=self.read).order_by("position"):
            self.read = row.position
            if row.aggregatetype not in self.known or row.type == "order.placed":
                continue
            subject = row.aggregatetype, row.aggregateid
            assert row.sequence == self.sequences.get(subject, 0) + 1, (row, row.sequence)
            self.sequences[subject] = row.sequence
            self._enter(row)
            about.add(subject)
        return about

    def _enter(self, row: OutboxEvent) -> None:
        state, data = self.known[row.aggregatetype], json.loads(row.payload)["data"]
        previous = data.pop("previous", None)
        before, after = state.get(row.aggregateid), plain(data)
        verb = row.type.partition(".")[2]
        if verb == "deleted":
            assert state.pop(row.aggregateid) == after, (row, before)
            return
        assert (verb == "created") == (before is None), row
        if before is not None:
            changed = {name for name in after if after[name] != before[name]}
            assert plain(previous) == {name: before[name] for name in changed}, (row, previous)
            assert changed, row
        state[row.aggregateid] = after


class Watch:
    """Compares events and tables after each page, and prints what it found in a line."""

    def __init__(self) -> None:
        setup_test_environment()  # answers then have their contexts, for the errors of forms
        self._books = Books(tables())
        self._before = tables()

    def page(self, name: str) -> None:
        """After a page: the events tell what a diff of the tables shows, and nothing else."""
        after = tables()
        differing = {
            (event, subject)
            for event in after
            for subject in {*self._before[event], *after[event]}
            if self._before[event].get(subject) != after[event].get(subject)
        }
        position = self._books.read
        about = self._books.follow()
        assert self._books.known == after, (name, self._books.known, after)
        assert about == differing, (name, about, differing)
        self._before = after
        events = OutboxEvent.objects.filter(position__gt=position).count()
        sys.stdout.write(f"{name}: {len(differing)} rows, {events} events\n")


def post(client: Client, url: str, data: dict[str, object]) -> None:
    """Post a form, which has to be accepted."""
    answer = client.post(url, data)
    if answer.status_code != 302:
        found = [value for context in answer.context or [] for value in context.flatten().values()]
        errors = {repr(form.errors) for form in found if any(getattr(form, "errors", None) or ())}
        raise AssertionError(f"{url}: {answer.status_code} {errors}")
