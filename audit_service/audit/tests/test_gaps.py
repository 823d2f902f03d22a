"""Messages that Kafka deleted before they were recorded are reported as lost."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from kafka import TopicPartition
from pytest_django import DjangoAssertNumQueries

from eventbus.inbox.models import LostMessages
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

TOPIC = "order.events"


@pytest.fixture
def send(bus: Bus) -> Callable[..., None]:
    def send(*sequences: int, subject: str = "9") -> None:
        for sequence in sequences:
            event = {
                "specversion": "1.0",
                "id": f"{subject}-{sequence}",
                "source": "/shop",
                "type": "order.changed",
                "subject": subject,
                "sequence": sequence,
                "time": "2026-11-01T12:00:00Z",
                "data": {},
            }
            bus.send(TOPIC, json.dumps(event).encode(), key=b"k")

    return send


@pytest.fixture
def gap(bus: Bus, send: Callable[..., None]) -> None:
    """Subject 9: 1 and 2 recorded, 3 to 5 lost, 6 recorded, 7 missing otherwise, 8 recorded."""
    send(1, 2)
    bus.consume()
    send(3, 4, 5, 6)
    bus.kafka.delete_records({TopicPartition(TOPIC, 0): 5})
    send(8)
    bus.consume()


def missing(client: Client, subject: str = "9") -> dict[int, Any]:
    rows = client.get(f"/api/subjects/order/{subject}/timeline/").json()["results"]
    return {row["sequence"]: row["missing"] for row in rows}


def test_the_timeline_marks_lost_gaps(gap: None, admin_client: Client) -> None:
    assert missing(admin_client) == {
        1: None,
        2: None,
        6: {"first": 3, "last": 5, "is_lost": True},
        8: {"first": 7, "last": 7, "is_lost": False},
    }
    page = admin_client.get("/subjects/order/9/").content.decode()
    assert "Not recorded: 3 to 5. Kafka deleted messages there" in page
    assert "Not recorded: 7. It may be parked" in page
    entries = admin_client.get("/api/events/?subject=9").json()["results"]
    [sixth] = [entry for entry in entries if entry["sequence"] == 6]
    assert b"Kafka deleted messages there" in admin_client.get(f"/events/{sixth['id']}/").content


def test_a_subject_whose_first_events_are_lost(
    bus: Bus, send: Callable[..., None], admin_client: Client
) -> None:
    send(1)
    bus.consume()
    send(1, 2, 3, subject="10")
    bus.kafka.delete_records({TopicPartition(TOPIC, 0): 3})
    bus.consume()
    assert missing(admin_client, "10") == {3: {"first": 1, "last": 2, "is_lost": True}}


def test_verify_reports_losses_while_the_chain_is_intact(gap: None) -> None:
    for words in ({}, {"partition": (TOPIC, 0)}):
        out = StringIO()
        call_command("verify", stdout=out, **words)
        text = " ".join(out.getvalue().split())
        assert "order.events/0: 3 messages, offsets 2 to 4, were not recorded" in text
        assert "all chains are intact" in text


def test_losses_are_shown_by_readyz_and_in_the_admin(gap: None, admin_client: Client) -> None:
    assert admin_client.get("/readyz").json()["lost"] == 3
    page = admin_client.get("/admin/eventbus_inbox/lostmessages/").content.decode()
    assert all(f">{number}<" in page for number in (2, 4, 3))
    [row] = LostMessages.objects.all()
    url = f"/admin/eventbus_inbox/lostmessages/{row.pk}/change/"
    assert admin_client.get(url).status_code == 200


def test_many_gaps_need_one_query(
    send: Callable[..., None],
    bus: Bus,
    admin_client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    send(*range(1, 40, 2))
    bus.consume()
    with django_assert_max_num_queries(9):
        admin_client.get("/subjects/order/9/")
