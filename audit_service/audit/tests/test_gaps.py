"""What retention took before it was recorded: the record says where, and that it is lost."""

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
    """Of 9: 1 and 2 recorded, 3 to 5 lost, 6 recorded, 7 missing for another reason, 8 recorded."""
    send(1, 2)
    bus.consume()
    send(3, 4, 5, 6)
    bus.kafka.delete_records({TopicPartition(TOPIC, 0): 5})
    send(8)
    bus.consume()


def missing(client: Client, subject: str = "9") -> dict[int, Any]:
    rows = client.get(f"/api/subjects/order/{subject}/timeline/").json()["results"]
    return {row["sequence"]: row["missing"] for row in rows}


def test_the_timeline_says_which_gap_is_lost(gap: None, admin_client: Client) -> None:
    assert missing(admin_client) == {
        1: None,
        2: None,
        6: {"first": 3, "last": 5, "is_lost": True},
        8: {"first": 7, "last": 7, "is_lost": False},
    }
    page = admin_client.get("/subjects/order/9/").content.decode()
    assert "Not recorded: 3 to 5. Lost to retention" in page
    assert "Not recorded: 7. It may be parked" in page
    entries = admin_client.get("/api/events/?subject=9").json()["results"]
    [sixth] = [entry for entry in entries if entry["sequence"] == 6]
    assert b"Lost to retention" in admin_client.get(f"/events/{sixth['id']}/").content


def test_a_subject_whose_beginning_is_lost(
    bus: Bus, send: Callable[..., None], admin_client: Client
) -> None:
    send(1)
    bus.consume()
    send(1, 2, 3, subject="10")
    bus.kafka.delete_records({TopicPartition(TOPIC, 0): 3})
    bus.consume()
    assert missing(admin_client, "10") == {3: {"first": 1, "last": 2, "is_lost": True}}


def test_verify_tells_of_it_and_the_chain_holds(gap: None) -> None:
    for words in ({}, {"partition": (TOPIC, 0)}):
        out = StringIO()
        call_command("verify", stdout=out, **words)
        text = " ".join(out.getvalue().split())
        assert "order.events/0: 3 messages, offsets 2 to 4, are not recorded" in text
        assert "every chain holds" in text


def test_it_is_shown_on_the_health_page_and_in_the_admin(gap: None, admin_client: Client) -> None:
    assert admin_client.get("/readyz").json()["lost"] == 3
    page = admin_client.get("/admin/eventbus_inbox/lostmessages/").content.decode()
    assert all(f">{number}<" in page for number in (2, 4, 3))
    [row] = LostMessages.objects.all()
    url = f"/admin/eventbus_inbox/lostmessages/{row.pk}/change/"
    assert admin_client.get(url).status_code == 200


def test_many_gaps_cost_one_question(
    send: Callable[..., None],
    bus: Bus,
    admin_client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    send(*range(1, 40, 2))
    bus.consume()
    with django_assert_max_num_queries(9):
        admin_client.get("/subjects/order/9/")
